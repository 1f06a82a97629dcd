package keyword

import (
	"cmp"
	"slices"
)

// Score gives the score of each row, in the order given; 0 for a row that does
// not match or is not there. It is the score that TopK gives.
func (s *Snapshot) Score(q Query, rows []uint32) []float32 {
	out := make([]float32, len(rows))
	if q.Empty() || len(rows) == 0 {
		return out
	}
	x := searches.Get().(*search)
	defer x.release()
	x.slope = s.slope()
	for i, v := range s.score(x, q, rows) {
		out[i] = score(v)
	}
	return out
}

// score is Score in score units.
func (s *Snapshot) score(x *search, q Query, rows []uint32) []uint64 {
	type wanted struct{ row, at uint32 }
	order := make([]wanted, len(rows))
	for i, r := range rows {
		order[i] = wanted{r, uint32(i)}
	}
	slices.SortFunc(order, func(a, b wanted) int { return cmp.Compare(a.row, b.row) })
	out := make([]uint64, len(rows))
	docs := make([]uint32, len(rows))
	for i := range s.parts {
		p := &s.parts[i]
		cs := x.open(q, i, p)
		if len(cs) == 0 {
			continue
		}
		for k, o := range order {
			d, ok := p.docOf(o.row)
			if !ok || p.isDead(d) {
				d = noDoc
			}
			docs[k] = d
		}
		for _, c := range cs {
			for k, d := range docs {
				if d != noDoc {
					out[order[k].at] += c.at(d, x.slope)
				}
			}
		}
	}
	return out
}

// Explain gives what each term of the query adds to the score of a row. Terms
// that add nothing are left out.
func (s *Snapshot) Explain(q Query, row uint32) map[string]float64 {
	out := map[string]float64{}
	for i := range s.parts {
		p := &s.parts[i]
		d, ok := p.docOf(row)
		if !ok || p.isDead(d) {
			continue
		}
		for _, t := range q.terms {
			if t.ords[i] < 0 {
				continue
			}
			c := &cursor{weight: t.weight * scoreUnit}
			c.open(p.segment, t.ords[i])
			if v := c.at(d, s.slope()); v > 0 {
				out[t.text] = float64(v) / scoreUnit
			}
		}
	}
	return out
}
