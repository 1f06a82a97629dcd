package parse

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const (
	envWorker = "RAGSERVER_PARSE_TEST_WORKER"
	envMarker = "RAGSERVER_PARSE_TEST_MARKER" // the file of the trick "once"
)

// TestMain makes the test's own program the worker that its pools start.
func TestMain(m *testing.M) {
	if mode := os.Getenv(envWorker); mode != "" {
		if err := testWorker(mode); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	testEnv = []string{envWorker + "=worker"}
	code := m.Run()
	if theCache != "" {
		os.RemoveAll(theCache)
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

var (
	cacheOnce sync.Once
	theCache  string
)

// testCache is a directory for compiled code that all tests share: compiling
// once is enough. RAGSERVER_TEST_CACHE names one that stays.
func testCache(t testing.TB) string {
	t.Helper()
	cacheOnce.Do(func() {
		if dir := os.Getenv("RAGSERVER_TEST_CACHE"); dir != "" {
			theCache = ""
			return
		}
		dir, err := os.MkdirTemp("", "ragserver-cache-*")
		if err != nil {
			t.Fatal(err)
		}
		theCache = dir
	})
	if dir := os.Getenv("RAGSERVER_TEST_CACHE"); dir != "" {
		return filepath.Clean(dir)
	}
	return theCache
}

// testPool is a pool whose workers are the test's own program.
func testPool(t testing.TB, with ...func(*PoolOptions)) *Pool {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	opt := PoolOptions{Exe: []string{exe}, CacheDir: testCache(t), Workers: 2, Deadline: 30 * time.Second}
	for _, f := range with {
		f(&opt)
	}
	if raceEnabled {
		opt.Memory = 6 << 30
	}
	p := NewPool(opt)
	t.Cleanup(func() { p.Close() })
	return p
}

// testParent is a server that reads a page which takes for ever, after telling
// the number of the process that does.
func testParent() error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	testEnv = []string{envWorker + "=worker"}
	p := NewPool(PoolOptions{Exe: []string{exe}, Deadline: time.Hour})
	if _, err := p.Parse(context.Background(), page("a page")); err != nil {
		return err
	}
	for w := range p.all {
		fmt.Println(w.proc.Pid)
	}
	_, err = p.Parse(context.Background(), page("trick:once "+os.Getenv(envMarker)+" "))
	return err
}

// testWorker is the worker process of the tests: pages may ask it for tricks,
// and the first PDF reader breaks down on files that say so.
func testWorker(mode string) error {
	if mode == "parent" {
		return testParent()
	}
	readers[fHTML] = trick
	return runWorker(os.Stdin, os.Stdout, func(ctx context.Context, f File, lim Limits) ([]*pdfPage, pdfInfo) {
		switch f.Name {
		case "crashes-the-first.pdf":
			os.Exit(3)
		case "hangs-the-first.pdf":
			select {}
		}
		return readFast(ctx, f, lim)
	})
}
