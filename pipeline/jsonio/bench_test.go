package jsonio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
)

type sale struct {
	ID     int64   `json:"id"`
	User   string  `json:"user"`
	Item   string  `json:"item"`
	Amount float64 `json:"amount"`
	TS     int64   `json:"ts"`
	OK     bool    `json:"ok"`
}

// BenchmarkParse compares with encoding/json. The metric is rows a second.
func BenchmarkParse(b *testing.B) {
	const rows = 10_000
	var short, long bytes.Buffer
	for i := range rows {
		fmt.Fprintf(&short, "{\"word\": \"word%d\"}\n", i%5000)
		fmt.Fprintf(&long, `{"id": %d, "user": "user%d", "item": "item%d", "amount": %d.%02d, "ts": %d, "ok": %t}`+"\n",
			i, i%5000, i%777, i%1000, i%100, 1700000000000+i, i%2 == 0)
	}
	b.Run("short", func(b *testing.B) { benchParse[event](b, short.Bytes(), rows) })
	b.Run("long", func(b *testing.B) { benchParse[sale](b, long.Bytes(), rows) })
}

func benchParse[T any](b *testing.B, text []byte, rows int) {
	for name, flat := range map[string]*flat{"jsonio": flatten[T](), "encoding/json": {}} {
		b.Run(name, func(b *testing.B) {
			p := parser[T]{flat}
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				p.Parse(text, true, func(_, _ int, _ *T, err error) {
					if err != nil {
						b.Fatal(err)
					}
				})
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkEncode compares with encoding/json.
func BenchmarkEncode(b *testing.B) {
	row := sale{1, "user1", "item2", 12.5, 1700000000000, true}
	f := flatten[sale]()
	b.Run("jsonio", func(b *testing.B) {
		var buf []byte
		for b.Loop() {
			buf, _ = appendRow(buf[:0], f, &row)
		}
	})
	b.Run("encoding/json", func(b *testing.B) {
		for b.Loop() {
			json.Marshal(row)
		}
	})
}
