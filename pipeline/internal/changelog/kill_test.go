package changelog_test

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/ragserver/ragserver/pipeline/internal/changelog"
)

// killOptions fold often.
var killOptions = changelog.Options{Segment: 64 << 10, Floor: 4 << 10}

// TestKilledProcess kills a process with SIGKILL again and again while it
// commits to the real disk, and looks at what it left.
func TestKilledProcess(t *testing.T) {
	if dir := os.Getenv("CHANGELOG_TEST_CHILD"); dir != "" {
		commitForever(dir)
	}
	dir := t.TempDir()
	rnd := rand.New(rand.NewPCG(1, 2))
	var before uint64
	for range 12 {
		acked := runAndKill(t, dir, 5+rnd.IntN(120))
		l, err := changelog.Open(changelog.OSFS{}, dir, killOptions)
		if err != nil {
			t.Fatal(err)
		}
		e, meta := l.Recovered()
		if e < acked || e <= before || string(meta) != fmt.Sprint("meta ", e) {
			t.Fatalf("epoch %d was acknowledged, %d (%s) recovered, before it was %d", acked, e, meta, before)
		}
		same(t, fmt.Sprint("epoch ", e), read(t, l), killedAt(e))
		l.Close()
		before = e
	}
}

// runAndKill starts a child, waits for it to acknowledge some commits, kills
// it and returns the last epoch that it acknowledged.
func runAndKill(t *testing.T, dir string, commits int) (acked uint64) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledProcess$")
	cmd.Env = append(os.Environ(), "CHANGELOG_TEST_CHILD="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	sc := bufio.NewScanner(out)
	for n := 0; sc.Scan(); n++ {
		if n == commits {
			cmd.Process.Kill()
		}
		e, err := strconv.ParseUint(strings.TrimPrefix(sc.Text(), "epoch "), 10, 64)
		if err != nil {
			t.Fatalf("the child said %q", sc.Text())
		}
		acked = e
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the child ended by itself")
	}
	return acked
}

// killedKeys are the keys that epoch e writes; their value is e.
func killedKeys(e uint64) (keys [40]uint64) {
	rnd := rand.New(rand.NewPCG(e, e))
	for i := range keys {
		keys[i] = rnd.Uint64N(500)
	}
	return keys
}

func killedAt(e uint64) content {
	c := content{}
	for n := uint64(1); n <= e; n++ {
		for _, k := range killedKeys(n) {
			c[cell("t", uint8(k), fmt.Append(nil, k))] = fmt.Sprint(n)
		}
	}
	return c
}

func commitForever(dir string) {
	l, err := changelog.Open(changelog.OSFS{}, dir, killOptions)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	e, _ := l.Recovered()
	for e++; ; e++ {
		for _, k := range killedKeys(e) {
			l.Writer(int(k%2)).Put("t", uint8(k), fmt.Append(nil, k), fmt.Append(nil, e))
		}
		if err := l.Commit(e, fmt.Append(nil, "meta ", e)); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("epoch", e)
	}
}
