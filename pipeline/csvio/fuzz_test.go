package csvio

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"testing"
)

type triple struct{ A, B, C string }

// FuzzParse compares with encoding/csv: up to the first record that it refuses
// both find the same, however the text is cut into blocks.
func FuzzParse(f *testing.F) {
	f.Add([]byte("a,b,c\n1,2,3\n\"x\",\"y\"\"z\",\"\n\"\n"), 3)
	f.Add([]byte("a,b,c\r\n\r\n,,\r\n\"\r\n\",b,c\r\n"), 1)
	f.Add([]byte("a,b,c\n1,2\n\"a\"b,c,d\n\"open,x,y\nz"), 7)
	f.Add([]byte("\"a\",b,c\n1,\"2,3\n"), 100)
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		if bytes.HasPrefix(text, utf8BOM) {
			return // which encoding/csv does not know
		}
		want, whole := general(text)
		got, bad := ours(text, cut)
		again, badAgain := ours(text, 1<<30)
		if !slices.Equal(got, again) || !slices.Equal(bad, badAgain) {
			t.Fatalf("in blocks: %q %q\nin one go: %q %q", got, bad, again, badAgain)
		}
		if len(got) < len(want) || !slices.Equal(got[:len(want)], want) || whole && (len(got) != len(want) || len(bad) > 0) {
			t.Fatalf("encoding/csv finds %q (all: %t), we %q and %q", want, whole, got, bad)
		}
	})
}

// general reads with encoding/csv, as far as it goes.
func general(text []byte) (rows []triple, whole bool) {
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord = 3
	for {
		rec, err := r.Read()
		if err != nil {
			return rows, err.Error() == "EOF"
		}
		rows = append(rows, triple{rec[0], rec[1], rec[2]})
	}
}

// ours parses blocks of about cut bytes, as rowfile does.
func ours(text []byte, cut int) (rows []triple, bad []string) {
	cut = max(1, cut%1000)
	fields, err := readers[triple]()
	if err != nil {
		panic(err)
	}
	p := newParser[triple](fields, options{comma: ',', noHeader: true}, nil)
	base, line := 0, 0
	yield := func(at, l int, row *triple, err error) {
		if err != nil {
			bad = append(bad, fmt.Sprint(base+at, ":", line+l, ":", err))
		} else {
			rows = append(rows, *row)
		}
	}
	for size := cut; ; {
		end := min(base+size, len(text))
		final := end == len(text)
		n, lines := p.Parse(text[base:end], final, yield)
		base, line = base+n, line+lines
		if final || p.err != nil {
			return rows, bad
		}
		if n == 0 {
			size *= 2
		} else {
			size = cut
		}
	}
}
