package csvio

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type person struct {
	Name string
	Age  int
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func extend(t testing.TB, name, text string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// read reads a path once.
func read[T any](t testing.TB, path string, opts ...Option) *pipelinetest.Input[T] {
	t.Helper()
	in := pipelinetest.NewInput[T](t, true)
	if err := Source[T](path, opts...).Run(context.Background(), in); err != nil {
		t.Fatal(err)
	}
	return in
}

func TestSource(t *testing.T) {
	pipelinetest.TestSource(t, func(t *testing.T) pipelinetest.World[person] {
		dir := t.TempDir()
		a, b := filepath.Join(dir, "a.csv"), filepath.Join(dir, "sub", "b.csv")
		p := func(name string, age int) person { return person{name, age} }
		return pipelinetest.World[person]{
			Source: func() pipeline.Source[person] { return Source[person](dir, Keep()) },
			Steps: []pipelinetest.Step[person]{
				{Name: "first", Do: func(t *testing.T) { write(t, a, "name,age\nann,1\nbob,2\n") },
					Want: []person{p("ann", 1), p("bob", 2)}},
				{Name: "append", Do: func(t *testing.T) { extend(t, a, "cid,3\n") },
					Want: []person{p("ann", 1), p("bob", 2), p("cid", 3)}},
				{Name: "a record without end", Do: func(t *testing.T) { extend(t, a, "dan,4") },
					Want: []person{p("ann", 1), p("bob", 2), p("cid", 3), p("dan", 4)}},
				{Name: "goes on", Do: func(t *testing.T) { extend(t, a, "4\neve,5\n") },
					Want: []person{p("ann", 1), p("bob", 2), p("cid", 3), p("dan", 44), p("eve", 5)}},
				{Name: "another file, columns in another order", Do: func(t *testing.T) { write(t, b, "age,what,NAME\r\n7,\"x, y\",\"f \"\"g\"\"\nh\"\r\n") },
					Want: []person{p("ann", 1), p("bob", 2), p("cid", 3), p("dan", 44), p("eve", 5), p("f \"g\"\nh", 7)}},
				{Name: "rewrite longer", Do: func(t *testing.T) { write(t, a, "name,age\nann,1\nbob,9\n"+strings.Repeat("zoe,8\n", 5)) },
					Want: []person{p("ann", 1), p("bob", 9), p("zoe", 8), p("zoe", 8), p("zoe", 8), p("zoe", 8), p("zoe", 8), p("f \"g\"\nh", 7)}},
				{Name: "rewrite shorter", Do: func(t *testing.T) { write(t, a, "name,age\n") },
					Want: []person{p("f \"g\"\nh", 7)}},
				{Name: "delete", Do: func(t *testing.T) { os.Remove(b) }},
				{Name: "empty", Do: func(t *testing.T) { write(t, a, "") }},
				{Name: "anew", Do: func(t *testing.T) { write(t, a, "\ufeffage,name\n1,x") }, Want: []person{p("x", 1)}},
			},
		}
	})
}

// TestLargeFile takes several groups and blocks, and a restart between any two.
func TestLargeFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.csv")
	var text strings.Builder
	var want []person
	text.WriteString("name,age\n")
	for i := range 70_000 {
		want = append(want, person{fmt.Sprint("n", i), i})
		fmt.Fprintf(&text, "n%d,%d\n", i, i)
	}
	write(t, name, text.String())
	in := read[person](t, name)
	if len(in.Groups()) < 2 {
		t.Errorf("%d groups for 70,000 rows", len(in.Groups()))
	}
	got := in.Table()
	slices.SortFunc(got, func(a, b person) int { return a.Age - b.Age })
	if !slices.Equal(got, want) {
		t.Fatal("rows are not those of the file")
	}
	for n := 1; n <= 2; n++ {
		in := pipelinetest.NewInput[person](t, true)
		in.CrashAt(n, n%2 == 0)
		if err := Source[person](name, Keep()).Run(context.Background(), in); !errors.Is(err, pipelinetest.ErrCrashed) {
			t.Fatal(err)
		}
		in = in.Restart(true)
		if err := Source[person](name, Keep()).Run(context.Background(), in); err != nil {
			t.Fatal(err)
		}
		if len(in.Table()) != len(want) {
			t.Fatalf("after a crash at commit %d: %d rows", n, len(in.Table()))
		}
		write(t, name, "name,age\nonly,1\n")
		in = in.Restart(true)
		in.CrashAt(1, true)
		if err := Source[person](name, Keep()).Run(context.Background(), in); !errors.Is(err, pipelinetest.ErrCrashed) {
			t.Fatal(err)
		}
		in = in.Restart(true)
		if err := Source[person](name, Keep()).Run(context.Background(), in); err != nil {
			t.Fatal(err)
		}
		if got := in.Table(); !slices.Equal(got, []person{{"only", 1}}) {
			t.Fatalf("rewritten, with a crash during the retraction: %d rows", len(got))
		}
		write(t, name, text.String())
	}
}

// TestOverwrittenInTheMiddle: beyond the length up to which a file is recognised
// by all of its bytes, what does not look appended to is compared whole.
func TestOverwrittenInTheMiddle(t *testing.T) {
	for how, replace := range map[string]func(t *testing.T, name, text string){
		"in place": func(t *testing.T, name, text string) { write(t, name, text) },
		"by another file": func(t *testing.T, name, text string) {
			write(t, name+".tmp", text+"more,1\n")
			if err := os.Rename(name+".tmp", name); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(how, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "a.csv")
			line := "somebody with a long name,00001\n"
			text := "name,age\n" + strings.Repeat(line, 3<<20/len(line))
			write(t, name, text)
			in := read[person](t, name, Keep())
			before := len(in.Table())
			half := len("name,age\n") + len(text)/len(line)/2*len(line)
			replace(t, name, text[:half]+"somebody with a long name,00002\n"+text[half+len(line):])
			in = in.Restart(true)
			if err := Source[person](name, Keep()).Run(context.Background(), in); err != nil {
				t.Fatal(err)
			}
			older := 0
			for _, p := range in.Table() {
				if p.Age == 2 {
					older++
				}
			}
			if older != 1 || len(in.Table()) < before {
				t.Errorf("%d of %d rows have what was written over the old, %d were there", older, len(in.Table()), before)
			}
		})
	}
}

func TestBadRecords(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a.csv")
	write(t, name, "name,age\nann,1\nbob\ncid,x\n\nd\"x,4\neve,5,6\n\"two\nlines\",99999999999999999999\nfay,7\n\"open,8\ngus,9\n")
	in := read[person](t, name)
	if got := in.Table(); len(got) != 3 {
		t.Errorf("rows %v", got)
	}
	want := []string{
		":3: it has 1 columns, not 2",
		":4: column Age: \"x\" is not a whole number",
		":6: bare \" in non-quoted-field",
		":7: it has 3 columns, not 2",
		":8: column Age: \"99999999999999999999\" is too large",
		":11: ",
	}
	fails := in.Fails()
	if len(fails) != len(want) {
		t.Fatalf("failures: %v", fails)
	}
	for i, f := range fails {
		if got := strings.TrimPrefix(f.Where, name) + ": " + f.Err.Error(); !strings.HasPrefix(got, want[i]) {
			t.Errorf("%s, not %s", got, want[i])
		}
	}
}

func TestMissingColumn(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "bad.csv"), "name,years\nann,1\n")
	write(t, filepath.Join(dir, "good.csv"), "name,age\nbob,1\n")
	in := read[person](t, dir)
	if got := in.Table(); !slices.Equal(got, []person{{"bob", 1}}) {
		t.Errorf("rows %v", got)
	}
	fails := in.Fails()
	if len(fails) != 1 || !strings.Contains(fails[0].Err.Error(), "no column Age; its columns are name, years") {
		t.Errorf("failures %v", fails)
	}
}

type wide struct {
	S  string
	I  int8
	U  uint16
	F  float32
	G  float64
	B  bool
	T  time.Time
	P  *int
	O  string `csv:"other name,optional"`
	No func() `csv:"-"`
	inner
}

type inner struct{ In string }

func TestTypes(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.csv")
	write(t, name, "In;S;I;U;F;G;B;T;P\nin;é;-128;65535;1.5; 1e3 ;TRUE;2024-02-29T12:00:00Z;\nin;;1;1;1;1;f;2024-02-29T12:00:00+01:00;7\n")
	in := read[wide](t, name, Comma(';'))
	if len(in.Fails()) > 0 {
		t.Fatal(in.Fails())
	}
	rows := in.Table()
	slices.SortFunc(rows, func(a, b wide) int { return int(a.I) - int(b.I) })
	a, b := rows[0], rows[1]
	if a.S != "é" || a.I != -128 || a.U != 65535 || a.F != 1.5 || a.G != 1000 || !a.B || a.T.Unix() != 1709208000 || a.P != nil || a.In != "in" {
		t.Errorf("%+v", a)
	}
	if b.B || b.P == nil || *b.P != 7 || !b.T.Equal(a.T.Add(-time.Hour)) {
		t.Errorf("%+v", b)
	}
	write(t, name, "x,1\ny,2\n")
	if got := read[person](t, name, NoHeader()).Table(); len(got) != 2 {
		t.Errorf("without header: %v", got)
	}
}

func TestBadTypes(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.csv")
	write(t, name, "a\n1\n")
	for want, src := range map[string]interface {
		Run(context.Context, pipeline.Input[int]) error
	}{"not structs": Source[int](name)} {
		if err := src.Run(context.Background(), pipelinetest.NewInput[int](t, true)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v", err)
		}
	}
	type bad struct{ C map[string]int }
	if err := Source[bad](name).Run(context.Background(), pipelinetest.NewInput[bad](t, true)); err == nil || !strings.Contains(err.Error(), "field C") {
		t.Errorf("%v", err)
	}
	type taken struct {
		When int `csv:"time"`
	}
	if err := Sink[taken](name).Recover(context.Background(), nil); err == nil || !strings.Contains(err.Error(), "column time") {
		t.Errorf("%v", err)
	}
}

func TestPaths(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []string{"a.csv", "b.txt", "sub/c.csv", "sub/deep/d.csv", ".hidden/e.csv", "skip/f.csv"} {
		write(t, filepath.Join(dir, n), "name,age\n"+filepath.Base(n)+",1\n")
	}
	for path, want := range map[string][]string{
		"":                {"a.csv", "b.txt", "c.csv", "d.csv"},
		"a.csv":           {"a.csv"},
		".hidden/e.csv":   {"e.csv"},
		"*.csv":           {"a.csv"},
		"**/*.csv":        {"a.csv", "c.csv", "d.csv"},
		"sub/*.csv":       {"c.csv"},
		"*/deep/?.csv":    {"d.csv"},
		"sub/**":          {"c.csv", "d.csv"},
		".hidden/*.csv":   {"e.csv"},
		"nothing/*.x":     nil,
		"[ab].{csv}":      nil,
		"sub/[!d]*/*.csv": nil,
	} {
		if path == "nothing/*.x" {
			continue // its folder does not exist: see below
		}
		var got []string
		for _, p := range read[person](t, filepath.Join(dir, filepath.FromSlash(path)), Exclude(filepath.Join(dir, "skip"))).Table() {
			got = append(got, p.Name)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%q: %v", path, got)
		}
	}
	for _, path := range []string{"nowhere/x.csv", "nothing.csv", "nothing/*.x"} {
		in := pipelinetest.NewInput[person](t, true)
		if err := Source[person](filepath.Join(dir, path)).Run(context.Background(), in); err == nil || !strings.Contains(err.Error(), path[:7]) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestAppendOnly truncates and replaces a log: its rows stay.
func TestAppendOnly(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log.csv")
	in := pipelinetest.NewInput[person](t, true)
	for i, step := range []struct {
		do   func()
		want int
	}{
		{func() { write(t, name, "name,age\na,1\nb,2\n") }, 2},
		{func() { extend(t, name, "c,3\n") }, 3},
		{func() { write(t, name, "name,age\na,1\n") }, 4},
		{func() { os.Rename(name, name+".old.tmp") }, 4},
		{func() { write(t, name, "name,age\na,1\nz,2\n") }, 6},
	} {
		step.do()
		in = in.Restart(true)
		err := Source[person](filepath.Dir(name), AppendOnly()).Run(context.Background(), in)
		if err != nil || len(in.Table()) != step.want {
			t.Fatalf("step %d: %v, %v", i, in.Table(), err)
		}
	}
	if n := in.StateSize(); n > 3 {
		t.Errorf("%d entries of state for one log", n)
	}
}

// TestNotKept rewrites what static mode has read.
func TestNotKept(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.csv")
	write(t, name, "name,age\na,1\n")
	in := read[person](t, name)
	write(t, name, "name,age\nb,1\n")
	err := Source[person](name).Run(context.Background(), in.Restart(true))
	if err == nil || !strings.Contains(err.Error(), "rewritten") || !strings.Contains(err.Error(), name) {
		t.Errorf("%v", err)
	}
}

func TestEndlessQuote(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.csv")
	text := "name,age\na,1\n\"open,2\n" + strings.Repeat(strings.Repeat("b", 1000)+",1\n", 20_000) + "z,9\n"
	write(t, name, text)
	in := read[person](t, name)
	if len(in.Fails()) != 1 || !strings.HasSuffix(in.Fails()[0].Where, ":3") {
		t.Errorf("failures %v", in.Fails())
	}
	rows, last := 0, person{}
	for _, g := range in.Groups() {
		for _, c := range g.Changes {
			rows, last = rows+1, c.Row
		}
	}
	if rows != 20_002 || last != (person{"z", 9}) {
		t.Errorf("%d rows, the last %v", rows, last)
	}
}

func TestStagedSink(t *testing.T) {
	n := 0
	pipelinetest.TestStagedSink(t, func(t *testing.T) pipelinetest.Staged[person] {
		n++
		name := filepath.Join(t.TempDir(), fmt.Sprint(n, ".csv"))
		return pipelinetest.Staged[person]{
			Sink: func() pipeline.StagedSink[person] { return Sink[person](name) },
			Row: func(i int) person {
				return person{[]string{"", "a,b", "\"q\"", " x", "l\nm", "n"}[i%6] + fmt.Sprint(i), i}
			},
			Written: func() ([]pipelinetest.Written[person], error) { return written(name) },
		}
	})
}

func written(name string) (ws []pipelinetest.Written[person], err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	for n := 0; ; n++ {
		rec, err := r.Read()
		if err == io.EOF {
			return ws, nil
		}
		if err != nil {
			return nil, err
		}
		if n == 0 {
			if !slices.Equal(rec, []string{"Name", "Age", "time", "diff"}) {
				return nil, fmt.Errorf("header %v", rec)
			}
			continue
		}
		var w pipelinetest.Written[person]
		if _, err := fmt.Sscan(rec[1]+" "+rec[2]+" "+rec[3], &w.Row.Age, &w.Epoch, &w.N); err != nil {
			return nil, err
		}
		w.Row.Name = rec[0]
		ws = append(ws, w)
	}
}

// TestSinkIsNotTheFile gives a sink a file that is shorter than was committed.
func TestSinkIsNotTheFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.csv")
	write(t, name, "short")
	err := Sink[person](name).Recover(context.Background(), []byte{100})
	if err == nil || !strings.Contains(err.Error(), "5 bytes, but 100 were committed") {
		t.Errorf("%v", err)
	}
	if err := Sink[person](filepath.Dir(name)).Recover(context.Background(), nil); err == nil {
		t.Error("a folder was opened for writing")
	}
}

// TestFileThatIsALink: a file that is named is read, wherever it leads.
func TestFileThatIsALink(t *testing.T) {
	name, link := filepath.Join(t.TempDir(), "real.csv"), filepath.Join(t.TempDir(), "a.csv")
	write(t, name, "name,age\nAnn,7\n")
	if err := os.Symlink(name, link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	if got := read[person](t, link).Table(); len(got) != 1 {
		t.Errorf("read %v", got)
	}
}
