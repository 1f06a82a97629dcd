package pipeline

import (
	"encoding/binary"

	"github.com/ragserver/ragserver/pipeline/internal/changelog"
)

// The records of a source's state are gathered in its group, so that they are
// committed with the epoch that the group enters and not before.
const (
	recRow = iota
	recNoRow
	recState
	recNoState
)

func (in *input[T]) record(kind byte, key Key, value []byte) {
	if in.s.r.log == nil {
		return
	}
	k := key.Bytes()
	in.recs = append(append(in.recs, kind), k[:]...)
	in.recs = binary.AppendUvarint(in.recs, uint64(len(value)))
	in.recs = append(in.recs, value...)
}

// write puts the records of a group into the log.
func (s *source) write(w *changelog.Writer, recs []byte) {
	rows, state := s.n.tableName("rows"), s.n.tableName("state")
	for len(recs) > 0 {
		kind, key := recs[0], recs[1:17]
		n, k := binary.Uvarint(recs[17:])
		value := recs[17+k : 17+k+int(n)]
		recs = recs[17+k+int(n):]
		switch shard := key[0]; kind {
		case recRow:
			w.Put(rows, shard, key, value)
		case recNoRow:
			w.Delete(rows, shard, key)
		case recState:
			w.Put(state, shard, key, value)
		case recNoState:
			w.Delete(state, shard, key)
		}
	}
}

// Get returns one entry of the source's state, valid until the next Put. It is
// not a part of Input: sources with much state ask for it by assertion.
func (in *input[T]) Get(key Key) ([]byte, bool) { return in.state.Get(key.cell()) }

func (in *input[T]) load() error {
	for _, t := range []struct {
		part string
		put  func(key, value []byte) error
	}{
		{"rows", func(key, value []byte) error {
			k, err := keyFrom(key)
			if err == nil {
				var row T
				if err = in.c.DecodeCopy(value, &row, &in.txt); err == nil {
					in.rows.Put(k.cell(), value)
				}
			}
			return err
		}},
		{"state", func(key, value []byte) error {
			k, err := keyFrom(key)
			if err == nil {
				in.state.Put(k.cell(), value)
			}
			return err
		}},
	} {
		table := in.s.n.tableName(t.part)
		if err := loadTable(in.s.r.log, table, nil, t.put); err != nil {
			return err
		}
	}
	in.figures()
	return nil
}

func keyFrom(b []byte) (Key, error) {
	if len(b) != 16 {
		return Key{}, errDamagedState
	}
	return KeyFromBytes([16]byte(b)), nil
}
