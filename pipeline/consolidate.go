package pipeline

import (
	"slices"

	"github.com/ragserver/ragserver/pipeline/internal/codec"
)

// consolidate adds up changes of equal rows under one key, drops what cancels
// out, and puts all retractions before all insertions, each by key. It reorders
// rows and returns a part of it.
func consolidate[T any](rows []Change[T], c *codec.Codec[T]) []Change[T] {
	slices.SortFunc(rows, func(a, b Change[T]) int { return a.Key.Compare(b.Key) })
	out := rows[:0]
	for i := 0; i < len(rows); {
		j := i + 1
		for j < len(rows) && rows[j].Key == rows[i].Key {
			j++
		}
		if j == i+1 {
			if rows[i].N != 0 {
				out = append(out, rows[i])
			}
		} else {
			out = append(out, sumUp(rows[i:j], c)...)
		}
		i = j
	}
	clear(rows[len(out):])
	retractionsFirst(out)
	return out
}

// sumUp merges changes of one key, in place.
func sumUp[T any](rows []Change[T], c *codec.Codec[T]) []Change[T] {
	n := 0
	if len(rows) <= 8 {
	next:
		for i := range rows {
			for j := range n {
				if c.Equal(&rows[j].Row, &rows[i].Row) {
					rows[j].N += rows[i].N
					continue next
				}
			}
			rows[n] = rows[i]
			n++
		}
	} else {
		at := map[string]int{}
		var b []byte
		for i := range rows {
			b = c.Append(b[:0], &rows[i].Row)
			if j, ok := at[string(b)]; ok {
				rows[j].N += rows[i].N
				continue
			}
			at[string(b)] = n
			rows[n] = rows[i]
			n++
		}
	}
	return slices.DeleteFunc(rows[:n], func(r Change[T]) bool { return r.N == 0 })
}

// retractionsFirst moves retractions before insertions; else the order stays.
func retractionsFirst[T any](rows []Change[T]) {
	first := 0
	for first < len(rows) && rows[first].N < 0 {
		first++
	}
	insertions := 0
	for i := first; i < len(rows); i++ {
		if rows[i].N > 0 {
			insertions++
		}
	}
	if first+insertions == len(rows) {
		return
	}
	later := make([]Change[T], 0, insertions)
	n := first
	for i := first; i < len(rows); i++ {
		if rows[i].N > 0 {
			later = append(later, rows[i])
			continue
		}
		rows[n] = rows[i]
		n++
	}
	copy(rows[n:], later)
}
