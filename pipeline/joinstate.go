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

func (s *joinSide[T]) load(total func(on hashtab.Key, n int)) error {
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
		if total != nil {
			total(on, int(n))
		}
		return nil
	})
}
