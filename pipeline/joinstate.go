package pipeline

import (
	"encoding/binary"
	"errors"

	"github.com/ragserver/ragserver/pipeline/internal/hashtab"
	"github.com/zeebo/xxh3"
)

var errDamagedState = errors.New("a saved record is damaged")

// hold applies a change to the side's index and writes down what has become of
// the row. Its record stands under the join key and a hash of the row and its
// key, for one key may have several rows while it changes.
func (s *joinSide[T]) hold(m *joinRow[T]) {
	s.w.rowBuf = s.c.Append(s.w.rowBuf[:0], &m.Row)
	row := s.w.rowBuf
	now := s.rows.Add(m.on.cell(), m.Key.cell(), row, m.N)
	if s.sums {
		s.addTotal(m.on.cell(), m.N)
	}
	if s.w.log == nil {
		return
	}
	var key [32]byte
	on, id := m.on.Bytes(), m.Key.Bytes()
	copy(key[:], on[:])
	hash := rowHash(id, row)
	copy(key[16:], hash[:])
	if now == 0 {
		s.w.log.Delete(s.table, m.on.shard(), key[:])
		return
	}
	b := append(s.w.recBuf[:0], id[:]...)
	b = binary.AppendVarint(b, int64(now))
	b = append(b, row...)
	s.w.recBuf = b
	s.w.log.Put(s.table, m.on.shard(), key[:], b)
}

func rowHash(id [16]byte, row []byte) [16]byte {
	var h xxh3.Hasher
	h.Write(id[:])
	h.Write(row)
	return h.Sum128().Bytes()
}

func (s *joinSide[T]) load() error {
	return s.w.load(s.table, func(key, value []byte) error {
		if len(key) != 32 || len(value) < 17 {
			return errDamagedState
		}
		on := KeyFromBytes([16]byte(key)).cell()
		id := KeyFromBytes([16]byte(value)).cell()
		n, w := binary.Varint(value[16:])
		if w <= 0 || n == 0 {
			return errDamagedState
		}
		s.rows.Add(on, id, value[16+w:], int(n))
		if s.sums {
			s.addTotal(on, int(n))
		}
		return nil
	})
}

func (s *joinSide[T]) decode(b []byte) T {
	clear(s.row[:]) // decoded here, so that it is not allocated for each row
	s.w.must(s.n, "read a row of the state", s.c.DecodeCopy(b, &s.row[0], &s.txt))
	return s.row[0]
}

// sum is how many rows of the side have a key: not less than 0 at the end of an
// epoch, whatever it is within one.
func (s *joinSide[T]) sum(on hashtab.Key) int64 {
	if c := s.total.Find(on); c != nil {
		return c.Val
	}
	return 0
}

func (s *joinSide[T]) addTotal(on hashtab.Key, n int) {
	c, _ := s.total.At(on)
	if c.Val += int64(n); c.Val == 0 {
		s.total.Delete(on)
	}
}

// turn says what becomes of rows of the other side that are there only while
// this one has none of the key, when n more come here: −1 if the first do, so
// that those go, 1 if the last ones go, else 0.
func (s *joinSide[T]) turn(on hashtab.Key, n int) int {
	if !s.sums {
		return 0
	}
	switch before := s.sum(on); {
	case before == 0:
		return -1
	case before+int64(n) == 0:
		return 1
	}
	return 0
}

func (s *joinSide[T]) size() int { return s.rows.Bytes() + s.total.Bytes() }
