package hashtab

// Store maps keys to byte strings. The zero Store is empty and ready.
type Store struct {
	t Table[Ref]
	a Arena
}

// Len returns the number of keys, Bytes the memory held.
func (s *Store) Len() int   { return s.t.Len() }
func (s *Store) Bytes() int { return s.t.Bytes() + s.a.Bytes() }

// Get returns k's string, valid until the store changes.
func (s *Store) Get(k Key) ([]byte, bool) {
	if c := s.t.Find(k); c != nil {
		return s.a.Get(c.Val), true
	}
	return nil, false
}

// Put sets k's string to a copy of b.
func (s *Store) Put(k Key, b []byte) {
	c, _ := s.t.At(k)
	c.Val = s.a.Replace(c.Val, b)
	s.compact()
}

// compact gives memory back that lies free.
func (s *Store) compact() { s.a.Compact(MoveAll(&s.t)) }

// Delete removes k and reports whether it was there.
func (s *Store) Delete(k Key) bool {
	c := s.t.Find(k)
	if c == nil {
		return false
	}
	s.a.Free(c.Val)
	s.t.Delete(k)
	s.compact()
	return true
}

// All calls yield for every key until it returns false. yield must not change
// the store.
func (s *Store) All(yield func(Key, []byte) bool) {
	s.t.All(func(c *Slot[Ref]) bool { return yield(c.Key, s.a.Get(c.Val)) })
}

// MoveAll is what Arena.Compact wants to know of a table of references.
func MoveAll(t *Table[Ref]) func(move func(Ref) Ref) {
	return func(move func(Ref) Ref) {
		t.All(func(c *Slot[Ref]) bool { c.Val = move(c.Val); return true })
	}
}
