package changelog_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/ragserver/ragserver/pipeline/internal/changelog"
)

// cells puts n changes of 16 + 40 bytes to a million keys.
func cells(l *changelog.Log, n int, seed uint64) {
	var key [16]byte
	var value [40]byte
	for i := range uint64(n) {
		k := (seed + i*0x9E3779B97F4A7C15) % 1_000_000 * 0x9E3779B97F4A7C15
		binary.BigEndian.PutUint64(key[:], k)
		binary.BigEndian.PutUint64(key[8:], k)
		binary.BigEndian.PutUint64(value[:], seed+i)
		l.Writer(int(key[0]&1)).Put("cells", key[0], key[:], value[:])
	}
}

// BenchmarkCommit makes changed cells durable, with fsync.
func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{100, 5000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l, err := changelog.Open(changelog.OSFS{}, b.TempDir(), changelog.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			e := uint64(0)
			for b.Loop() {
				e++
				cells(l, n, e*1_000_003)
				if err := l.Commit(e, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLoad opens a log of a million cells, written in ten commits, and
// loads it with two workers' filters, one after the other.
func BenchmarkLoad(b *testing.B) {
	for _, folded := range []bool{true, false} {
		b.Run(fmt.Sprintf("folded=%t", folded), func(b *testing.B) {
			dir, o := b.TempDir(), changelog.Options{}
			if !folded {
				o.Floor, o.Segment = 1<<30, 1<<30
			}
			l, err := changelog.Open(changelog.OSFS{}, dir, o)
			if err != nil {
				b.Fatal(err)
			}
			var key [16]byte
			for i := range uint64(1_000_000) {
				binary.BigEndian.PutUint64(key[:], i*0x9E3779B97F4A7C15)
				binary.BigEndian.PutUint64(key[8:], i)
				l.Writer(int(key[0]&1)).Put("cells", key[0], key[:], make([]byte, 40))
				if i%100_000 == 99_999 {
					if err := l.Commit(i, nil); err != nil {
						b.Fatal(err)
					}
					l.WaitFold()
				}
			}
			l.Close()
			for b.Loop() {
				if l, err = changelog.Open(changelog.OSFS{}, dir, o); err != nil {
					b.Fatal(err)
				}
				n := 0
				for half := range uint8(2) {
					err := l.Load("cells", func(s uint8) bool { return s&1 == half }, func(uint8, []byte, []byte) error { n++; return nil })
					if err != nil {
						b.Fatal(err)
					}
				}
				if n != 1_000_000 {
					b.Fatal(n, "cells")
				}
				l.Close()
			}
		})
	}
}
