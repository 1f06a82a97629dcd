package parse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// trick is what a test's worker does to a page that asks for it: what hostile
// files have made parsers do.
func trick(b *builder, f File, d detected) error {
	_, name, ok := strings.Cut(d.text, "trick:")
	if !ok {
		return readHTML(b, f, d)
	}
	name, _, _ = strings.Cut(name, " ")
	switch name {
	case "crash":
		os.Exit(3)
	case "panic":
		go func() { panic("in a goroutine that nothing recovers") }()
		select {}
	case "stack":
		var down func(n int) int
		down = func(n int) int { return down(n+1) + 1 }
		down(0)
	case "hang":
		select {}
	case "spin":
		for {
		}
	case "once": // hangs, and says so in a file, unless the file is there
		_, path, _ := strings.Cut(d.text, "trick:once ")
		path, _, _ = strings.Cut(path, " ")
		if _, err := os.Stat(path); err == nil {
			return b.add(Block{Kind: Paragraph, Text: "read at last"})
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			return err
		}
		select {}
	case "garbage":
		os.Stdout.WriteString(strings.Repeat("garbage", 1000))
		select {}
	case "allocate":
		x := make([]byte, 137<<30)
		x[len(x)-1] = 1
		return fmt.Errorf("%d bytes were given", len(x))
	case "grow":
		var all [][]byte
		for {
			all = append(all, bytes.Repeat([]byte("x"), 1<<20))
		}
	case "socket":
		c, err := net.Dial("tcp", "127.0.0.1:9")
		if err == nil {
			c.Close()
		}
		return b.add(Block{Kind: Paragraph, Text: fmt.Sprint("dial: ", err)})
	case "exec":
		return b.add(Block{Kind: Paragraph, Text: fmt.Sprint("run: ", exec.Command("/bin/true").Run())})
	case "temp":
		t, err := os.CreateTemp("", "left-*")
		if err != nil {
			return err
		}
		return b.add(Block{Kind: Paragraph, Text: t.Name()})
	case "nested":
		_, err := html.Parse(strings.NewReader(strings.Repeat("<div>", 20000)))
		return err
	}
	return readHTML(b, f, d)
}

func page(s string) File {
	s = "<html><body><p>" + s + " </p></body></html>"
	return File{Name: "a.html", Data: strings.NewReader(s), Size: int64(len(s))}
}

func TestAWorkerThatIsLostCostsOneFile(t *testing.T) {
	for name, fault := range map[string]Fault{
		"crash": Crashed, "panic": Crashed, "stack": Crashed, "garbage": Crashed,
		"hang": Deadline, "spin": Deadline, "allocate": Memory, "grow": Memory,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if raceEnabled && (fault == Memory || name == "stack") {
				t.Skip("the race detector takes memory of its own, which the limit does not spare")
			}
			p := testPool(t, func(o *PoolOptions) {
				o.Memory = 512 << 20
				if fault == Deadline {
					o.Deadline = 5 * time.Second
				}
			})
			var others sync.WaitGroup
			for range 3 {
				others.Go(func() {
					if _, err := p.Parse(t.Context(), page("an innocent page")); err != nil {
						t.Errorf("another file: %v", err)
					}
				})
			}
			_, err := p.Parse(t.Context(), page("trick:"+name))
			var e *Error
			if !errors.As(err, &e) || e.Fault != fault {
				t.Errorf("error %v, want %s", err, fault)
			}
			if Reason(err) == "" || strings.Contains(Reason(err), "goroutine") {
				t.Errorf("the reason is %q", Reason(err))
			}
			others.Wait()
			if res, err := p.Parse(t.Context(), page("still here")); err != nil || Markdown(res.Document) != "still here\n" {
				t.Errorf("the pool does not go on: %v", err)
			}
		})
	}
}

// However long other files take, one that is saved meanwhile is read.
func TestSlowFilesHoldUpNoQuickOne(t *testing.T) {
	p := testPool(t, func(o *PoolOptions) { o.Deadline = time.Hour })
	ctx, cancel := context.WithCancel(t.Context())
	var slow sync.WaitGroup
	defer slow.Wait()
	defer cancel()
	for i := range 5 {
		slow.Go(func() {
			f := page("trick:hang")
			f.Backlog = i%2 == 0
			if _, err := p.Parse(ctx, f); !errors.Is(err, context.Canceled) {
				t.Errorf("a page that takes long: %v", err)
			}
		})
	}
	for range 3 {
		if _, err := p.Parse(t.Context(), page("a quick one")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheSecondPDFReaderGetsWhatBreaksTheFirst(t *testing.T) {
	p := testPool(t, func(o *PoolOptions) { o.Deadline = 8 * time.Second })
	raw := samplePDF(false)
	for _, name := range []string{"crashes-the-first.pdf", "hangs-the-first.pdf"} {
		res, err := p.Parse(t.Context(), File{Name: name, Data: strings.NewReader(raw), Size: int64(len(raw))})
		if err != nil || !strings.Contains(Markdown(res.Document), "independent of the operator") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAWorkerIsConfined(t *testing.T) {
	p := testPool(t)
	run := func(name string) string {
		res, err := p.Parse(t.Context(), page("trick:"+name))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return strings.TrimSpace(Markdown(res.Document))
	}
	if confined {
		if got := run("socket"); !strings.Contains(got, "operation not permitted") {
			t.Errorf("a socket: %s", got)
		}
		if got := run("exec"); !strings.Contains(got, "operation not permitted") {
			t.Errorf("a program: %s", got)
		}
	}
	left := run("temp")
	if _, err := os.Stat(left); err != nil {
		t.Fatalf("the temporary file is not where it should be: %v", err)
	}
	p.Close()
	if _, err := os.Stat(filepath.Dir(left)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the temporary directory is still there: %v", err)
	}
}

func TestFilesComeByDescriptorOrByBytes(t *testing.T) {
	body := strings.Repeat("<p>some text in a page</p>", 80_000) // more than is read in this process
	s := "<html><body>" + body + "</body></html>"
	path := filepath.Join(t.TempDir(), "a.html")
	if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := testPool(t)
	a, err := p.Parse(t.Context(), File{Name: path, Data: f, Size: int64(len(s))})
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Parse(t.Context(), File{Name: path, Data: strings.NewReader(s), Size: int64(len(s))})
	if err != nil {
		t.Fatal(err)
	}
	if a.Hash != b.Hash || a.Size != int64(len(s)) || Markdown(a.Document) != Markdown(b.Document) || len(a.Document.Blocks) != 80_000 {
		t.Errorf("by descriptor %x %d, by bytes %x %d", a.Hash, len(a.Document.Blocks), b.Hash, len(b.Document.Blocks))
	}
	_, err = p.Parse(t.Context(), File{Name: path, Data: f, Size: int64(len(s)) + 5})
	var e *Error
	if !errors.As(err, &e) || e.Fault != Changed {
		t.Errorf("a file that became shorter: %v", err)
	}
	if _, err := p.Parse(t.Context(), page("next")); err != nil {
		t.Errorf("the pool does not go on: %v", err)
	}
}

func TestCancelAndClose(t *testing.T) {
	p := testPool(t)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(300*time.Millisecond, cancel)
	if _, err := p.Parse(ctx, page("trick:hang")); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %v", err)
	}
	done := make(chan error)
	go func() {
		_, err := p.Parse(context.Background(), page("trick:hang"))
		done <- err
	}()
	for {
		p.mu.Lock()
		busy := len(p.all) - len(p.idle)
		p.mu.Unlock()
		if busy > 0 {
			break
		}
	}
	p.Close()
	if err := <-done; err == nil {
		t.Error("a file was read after Close")
	}
	if _, err := p.Parse(t.Context(), page("late")); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestAnIdleWorkerEnds(t *testing.T) {
	p := testPool(t, func(o *PoolOptions) { o.Idle = 20 * time.Millisecond })
	if _, err := p.Parse(t.Context(), page("one")); err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	var ended chan struct{}
	for w := range p.all {
		ended = w.ended
	}
	p.mu.Unlock()
	if ended != nil {
		<-ended
	}
	if _, err := p.Parse(t.Context(), page("two")); err != nil {
		t.Fatal(err)
	}
}

func TestAWorkerEndsWithItsParent(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), testEnv...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("at the end of stdin: %v", err)
	}
}

func TestSmallTextNeedsNoWorker(t *testing.T) {
	p := NewPool(PoolOptions{}) // it could start none
	defer p.Close()
	for name, s := range map[string]string{"a.md": "# A\n\ntext", "a.txt": "text", "a.csv": "a,b\n1,2\n", "a.json": `{"a":1}`, "a.go": "package a"} {
		res, err := p.Parse(t.Context(), File{Name: name, Data: strings.NewReader(s), Size: int64(len(s))})
		if err != nil || len(res.Document.Blocks) == 0 || res.Hash == [16]byte{} {
			t.Errorf("%s: %v %v", name, res, err)
		}
	}
	if _, err := p.Parse(t.Context(), page("needs one")); !Passing(err) || !strings.Contains(err.Error(), "no program is configured") {
		t.Errorf("a page: %v", err)
	}
	big := File{Name: "a.txt", Data: strings.NewReader(""), Size: 2 << 40}
	var e *Error
	if _, err := p.Parse(t.Context(), big); !errors.As(err, &e) || e.Fault != TooLarge {
		t.Errorf("a file of 2 TB: %v", err)
	}
}
