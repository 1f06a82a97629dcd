import { defineConfig } from 'vite';

// The page asks nothing of anyone but its own server, under a policy without
// 'unsafe-inline': one script, one stylesheet, no polyfill that injects tags.
// The base is relative, so that lazy chunks are found wherever the server is
// mounted; web.go makes the references of index.html absolute, which deep links
// need.
export default defineConfig({
  base: './',
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: false,
    cssCodeSplit: false,
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  test: { environment: 'jsdom', include: ['test/**/*.test.{ts,tsx}'], testTimeout: 60_000 },
} as Parameters<typeof defineConfig>[0]);
