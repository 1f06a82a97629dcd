package jsonio

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/ragserver/ragserver/pipeline"
	"github.com/ragserver/ragserver/pipeline/pipelinetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type event struct {
	Word string `json:"word"`
	N    int    `json:"n"`
}

func write(t testing.TB, name, text string) {
	t.Helper()
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

func TestSource(t *testing.T) {
	pipelinetest.TestSource(t, func(t *testing.T) pipelinetest.World[event] {
		dir := t.TempDir()
		a, b := filepath.Join(dir, "a.jsonl"), filepath.Join(dir, "b.jsonl")
		return pipelinetest.World[event]{
			Source: func() pipeline.Source[event] { return Source[event](dir, Keep()) },
			Steps: []pipelinetest.Step[event]{
				{Name: "first", Do: func(t *testing.T) { write(t, a, "{\"word\":\"x\",\"n\":1}\n") }, Want: []event{{"x", 1}}},
				{Name: "append", Do: func(t *testing.T) { extend(t, a, "\r\n {\"n\": 2, \"word\":\"y\\n\"} \r\n{}\n") },
					Want: []event{{"x", 1}, {"y\n", 2}, {}}},
				{Name: "another", Do: func(t *testing.T) { write(t, b, "{\"WORD\":\"z\",\"o\":[1,{}],\"n\":3}") },
					Want: []event{{"x", 1}, {"y\n", 2}, {}, {"z", 3}}},
				{Name: "rename", Do: func(t *testing.T) { os.Rename(a, filepath.Join(dir, "c.jsonl")) },
					Want: []event{{"x", 1}, {"y\n", 2}, {}, {"z", 3}}},
				{Name: "replace", Do: func(t *testing.T) { write(t, a+".tmp", "{\"n\":9}\n"); os.Rename(a+".tmp", b) },
					Want: []event{{"x", 1}, {"y\n", 2}, {}, {"", 9}}},
				{Name: "delete", Do: func(t *testing.T) { os.Remove(b); os.Remove(filepath.Join(dir, "c.jsonl")) }},
			},
		}
	})
}

func TestBadLines(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.jsonl")
	write(t, name, "{\"n\":1}\nno\n{\"n\":\"1\"}\n[1]\n{\"n\":1} x\n{\"n\":1e2}\n{\"n\":01}\n{\"n\":2}\n")
	in := pipelinetest.NewInput[event](t, true)
	if err := Source[event](name).Run(context.Background(), in); err != nil {
		t.Fatal(err)
	}
	if got := in.Table(); len(got) != 2 {
		t.Errorf("rows %v", got)
	}
	want := []string{":2: not JSON, at byte", ":3: \"n\" is string where int is wanted", ":4: it is array where", ":5: not JSON", ":6: \"n\" is number 1e2", ":7: not JSON"}
	for i, f := range in.Fails() {
		if got := strings.TrimPrefix(f.Where, name) + ": " + f.Err.Error(); !strings.HasPrefix(got, want[i]) {
			t.Errorf("%s, not %s", got, want[i])
		}
	}
	if len(in.Fails()) != len(want) {
		t.Errorf("failures %v", in.Fails())
	}
}

func TestStagedSink(t *testing.T) {
	n := 0
	pipelinetest.TestStagedSink(t, func(t *testing.T) pipelinetest.Staged[event] {
		n++
		name := filepath.Join(t.TempDir(), fmt.Sprint(n))
		return pipelinetest.Staged[event]{
			Sink:    func() pipeline.StagedSink[event] { return Sink[event](name) },
			Row:     func(i int) event { return event{[]string{"", "é", "\"q\"", "<&>", "l\nm", "n"}[i%6], i} },
			Written: func() ([]pipelinetest.Written[event], error) { return written(name) },
		}
	})
}

func written(name string) (ws []pipelinetest.Written[event], err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var row struct {
			event
			Time uint64
			Diff int
		}
		if err := json.Unmarshal(s.Bytes(), &row); err != nil {
			return nil, err
		}
		ws = append(ws, pipelinetest.Written[event]{Epoch: row.Time, Row: row.event, N: row.Diff})
	}
	return ws, nil
}

type all struct {
	S   string `json:"s"`
	I   int
	I8  int8
	I64 int64
	U8  uint8
	U64 uint64
	F   float64
	F32 float32
	B   bool
	Not string `json:"-"`
}

// TestShortCutTakesWhatIsPlain makes sure that the short cut is not empty.
func TestShortCutTakesWhatIsPlain(t *testing.T) {
	f := flatten[all]()
	var row all
	for _, line := range []string{`{}`, `{"s":"é","I":-1,"I8":1,"B":true,"F":1.5e3}`, ` { "x" : null , "U8" : 255 } `} {
		if !f.decode([]byte(line), unsafePointer(&row)) {
			t.Errorf("%s is left to encoding/json", line)
		}
	}
	if out, ok := f.encode(nil, unsafePointer(&event{})); ok && out == nil {
		t.Error("nothing was written")
	}
	for _, v := range []bool{flatten[struct{ X []int }]().fields != nil, flatten[int]().fields != nil, flatten[struct{ all }]().fields != nil,
		flatten[struct{ A, a int }]().fields == nil, flatten[struct {
			A int `json:",omitempty"`
		}]().fields != nil} {
		if v {
			t.Error("a type that is not flat counts as flat, or the other way round")
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"s":"a","I":1,"I8":-128,"I64":9223372036854775807,"U8":255,"U64":18446744073709551615,"F":1e-7,"F32":3.4e38,"B":false}`,
		`{"S":"folded","s":"exact","unknown":{"a":[1]},"I":-0}`, `{"s":"\u00e9\n","I":1.0}`, "{\"s\":\"\xff\"}", `{"I":1,}`, `{"I":00}`, `{"s":null,"B":null}`,
		"{\"\u212a\":1,\"\u017f\":\"long s\"}", `{"F":1e400}`, `{"I8":128}`, `{"B":truee}`, ` {"s" : "x" } `, `{"":1}`,
	} {
		f.Add([]byte(s))
	}
	flat := flatten[all]()
	f.Fuzz(func(t *testing.T, line []byte) {
		if bytesHasNewline(line) {
			return
		}
		var got, want all
		if !flat.decode(line, unsafePointer(&got)) {
			return
		}
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatalf("%q was read as %+v, encoding/json says %v", line, got, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q was read as %+v, by encoding/json as %+v", line, got, want)
		}
	})
}

func FuzzEncode(f *testing.F) {
	f.Add("a", 1, int8(2), uint64(3), 1.5, float32(2), true)
	f.Add("\u2028<é\x7f\xff", -1, int8(-2), uint64(1<<63), 1e21, float32(1e-7), false)
	f.Add("", 0, int8(0), uint64(0), -0.0, float32(0), false)
	type row struct {
		S   string `json:"s"`
		I   int
		I8  int8
		U64 uint64
		F   float64
		F32 float32
		B   bool
	}
	type short struct {
		S   string `json:"s"`
		I   int
		U64 uint64
		F   float64
		B   bool
	}
	f.Fuzz(func(t *testing.T, s string, i int, i8 int8, u uint64, x float64, y float32, b bool) {
		compare(t, row{s, i, i8, u, x, y, b})
		compare(t, short{s, i, u, x, b})
	})
}

func compare[T any](t *testing.T, row T) {
	want, werr := json.Marshal(row)
	got, err := appendRow(nil, flatten[T](), &row)
	if err != nil {
		t.Fatalf("%+v: %v", row, err)
	}
	if werr == nil && string(got) != string(want[:len(want)-1])+"," {
		t.Fatalf("%+v was written as %s, by encoding/json as %s", row, got, want)
	}
}

func TestNumbersWithoutJSON(t *testing.T) {
	type measured struct {
		A, B, C, D float64
	}
	row := measured{math.NaN(), math.Inf(1), math.Inf(-1), -2.5}
	got, err := appendRow(nil, flatten[measured](), &row)
	if want := `{"A":"NaN","B":"Infinity","C":"-Infinity","D":-2.5,`; err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
}

func TestOddRows(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.jsonl")
	s := Sink[any](name)
	if err := s.Recover(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	var changes []pipeline.Change[any]
	for _, row := range []any{7, "x", []int{1}, struct{}{}, nil, map[string]int{"a": 1}, math.NaN()} {
		changes = append(changes, pipeline.Change[any]{Row: row, N: 1})
	}
	if err := s.Stage(context.Background(), 1, changes); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.Close()
	b, _ := os.ReadFile(name)
	want := []string{`{"value":7,`, `{"value":"x",`, `{"value":[1],`, `{`, `{"value":null,`, `{"a":1,`, `{"error":"json: unsupported value: NaN",`, ``}
	for i := range want[:7] {
		want[i] += `"time":1,"diff":1}`
	}
	if got := strings.Split(string(b), "\n"); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	type taken struct {
		Diff int `json:"diff"`
	}
	if err := Sink[taken](name).Recover(context.Background(), nil); err == nil || !strings.Contains(err.Error(), `"diff"`) {
		t.Errorf("%v", err)
	}
}
