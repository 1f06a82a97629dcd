package csvio

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"testing"
)

type sale struct {
	ID     int64
	User   string
	Item   string
	Amount float64
	TS     int64
	OK     bool
}

// BenchmarkParse compares with a loop over encoding/csv. The metric is rows a
// second.
func BenchmarkParse(b *testing.B) {
	var text bytes.Buffer
	const rows = 10_000
	for i := range rows {
		fmt.Fprintf(&text, "%d,user%d,item%d,%d.%02d,%d,%t\n", i, i%5000, i%777, i%1000, i%100, 1700000000000+i, i%2 == 0)
	}
	perSecond := func(b *testing.B) { b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s") }
	b.Run("csvio", func(b *testing.B) {
		fields, err := readers[sale]()
		if err != nil {
			b.Fatal(err)
		}
		p := newParser[sale](fields, options{comma: ',', noHeader: true}, nil)
		b.SetBytes(int64(text.Len()))
		for b.Loop() {
			n := 0
			p.Parse(text.Bytes(), true, func(_, _ int, _ *sale, err error) {
				if n++; err != nil {
					b.Fatal(err)
				}
			})
			if n != rows {
				b.Fatal(n)
			}
		}
		perSecond(b)
	})
	b.Run("encoding/csv", func(b *testing.B) {
		b.SetBytes(int64(text.Len()))
		for b.Loop() {
			r := csv.NewReader(bytes.NewReader(text.Bytes()))
			r.ReuseRecord = true
			for {
				f, err := r.Read()
				if err == io.EOF {
					break
				}
				s := sale{User: f[1], Item: f[2], OK: f[5] == "true"}
				s.ID, _ = strconv.ParseInt(f[0], 10, 64)
				s.Amount, _ = strconv.ParseFloat(f[3], 64)
				s.TS, _ = strconv.ParseInt(f[4], 10, 64)
			}
		}
		perSecond(b)
	})
}
