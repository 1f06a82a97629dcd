// Chromium with a page, for the scripts beside this one. CHROMIUM names the
// binary; /usr/bin/chromium if it does not.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let browser;

export async function open({ width = 1280, height = 800, theme = 'light', reducedMotion = 'reduce', storageState } = {}) {
  browser ??= await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking', '--disable-component-update', '--no-first-run'],
  });
  const context = await browser.newContext({
    viewport: { width, height }, colorScheme: theme, reducedMotion, storageState,
    hasTouch: width < 500, isMobile: width < 500, permissions: ['clipboard-read', 'clipboard-write'],
  });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const errors = [], hosts = new Set();
  page.on('console', (m) => m.type() === 'error' && errors.push(m.text()));
  page.on('pageerror', (e) => errors.push('uncaught: ' + e.message));
  page.on('request', (r) => /^http/.test(r.url()) && hosts.add(new URL(r.url()).host));
  return {
    page, errors, hosts,
    /** Violations of WCAG 2.2 A and AA and of axe's best practices. */
    async axe() {
      // Through the protocol, which the page's policy does not bind.
      await page.evaluate(axeSource);
      const found = await page.evaluate(() =>
        globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
      return found.violations.map((v) => `axe ${v.impact} ${v.id} ×${v.nodes.length}: ${v.help} [${v.nodes.slice(0, 3).map((n) => n.target.join(' ')).join(' | ')}]`);
    },
    close: () => context.close(),
  };
}

export const closeBrowser = () => browser?.close();
