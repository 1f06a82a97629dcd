package pipeline

import (
	"encoding/binary"
	"errors"

	"github.com/ragserver/ragserver/pipeline/internal/hashtab"
	"github.com/zeebo/xxh3"
)

var errDamagedState = errors.New("a saved record is damaged")

// hold applies a change to the side's index and writes down what has become of
// the row.
func (s *joinSide[T]) hold(m *joinRow[T]) {
	s.w.rowBuf = s.c.Append(s.w.rowBuf[:0], &m.Row)
	row := s.w.rowBuf
	if s.sums {
		s.addTotal(m.on.cell(), m.N)
	}
	if s.w.log == nil && m.N > 0 {
		s.rows.Insert(m.on.cell(), m.Key.cell(), row, m.N)
		return
	}
	now := s.rows.Add(m.on.cell(), m.Key.cell(), row, m.N)
	saveJoined(s.w, s.table, m.on, m.Key, row, now)
}

// saveJoined writes down how often a row is there. Its record stands under the key
// that it joins by and a hash of the row and its key, for one key may have several
// rows while it changes.
func saveJoined(w *worker, table string, on, key Key, row []byte, now int) {
	if w.log == nil {
		return
	}
	var at [32]byte
	o, id := on.Bytes(), key.Bytes()
	copy(at[:], o[:])
	hash := rowHash(id, row)
	copy(at[16:], hash[:])
	if now == 0 {
		w.log.Delete(table, on.shard(), at[:])
		return
	}
	b := append(w.recBuf[:0], id[:]...)
	b = binary.AppendVarint(b, int64(now))
	b = append(b, row...)
	w.recBuf = b
	w.log.Put(table, on.shard(), at[:], b)
}

// readJoined reads what saveJoined wrote.
func readJoined(at, value []byte) (on, key Key, n int, row []byte, err error) {
	if len(at) != 32 || len(value) < 17 {
		return on, key, 0, nil, errDamagedState
	}
	times, w := binary.Varint(value[16:])
	if w <= 0 || times == 0 {
		return on, key, 0, nil, errDamagedState
	}
	return KeyFromBytes([16]byte(at)), KeyFromBytes([16]byte(value)), int(times), value[16+w:], nil
}

func rowHash(id [16]byte, row []byte) [16]byte {
	var h xxh3.Hasher
	h.Write(id[:])
	h.Write(row)
	return h.Sum128().Bytes()
}

func (s *joinSide[T]) load() error {
	return s.w.load(s.table, func(at, value []byte) error {
		on, key, n, row, err := readJoined(at, value)
		if err != nil {
			return err
		}
		s.rows.Add(on.cell(), key.cell(), row, n)
		if s.sums {
			s.addTotal(on.cell(), n)
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
