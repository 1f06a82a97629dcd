package index

// trie is a persistent map from ID to *entry: a change copies the nodes on the
// way and leaves older tries as they were. IDs are hashes, so that 4 bits a
// level, from the first on, spread evenly.
type trie struct {
	root *trieNode
	n    int
}

type trieNode struct {
	owner *trieOwner // may change the node in place
	kids  [16]*trieNode
	leaf  *entry // only of nodes without kids
}

// trieOwner marks the nodes made since the last snapshot. It must have a size:
// pointers to distinct empty values may be equal.
type trieOwner struct{ _ byte }

func nibble(id *ID, level int) byte {
	return id[level/2] >> (4 * (1 - level&1)) & 15
}

func (t trie) get(id ID) *entry {
	n := t.root
	for level := 0; n != nil; level++ {
		if n.leaf != nil {
			if n.leaf.doc.ID == id {
				return n.leaf
			}
			return nil
		}
		n = n.kids[nibble(&id, level)]
	}
	return nil
}

// put adds or replaces e.
func (t *trie) put(o *trieOwner, e *entry) {
	if t.get(e.doc.ID) == nil {
		t.n++
	}
	t.root = t.root.put(o, e, 0)
}

func (n *trieNode) put(o *trieOwner, e *entry, level int) *trieNode {
	if n == nil || n.leaf != nil && n.leaf.doc.ID == e.doc.ID {
		return &trieNode{owner: o, leaf: e}
	}
	if n.leaf != nil {
		m := &trieNode{owner: o}
		m.kids[nibble(&n.leaf.doc.ID, level)] = n
		n = m
	} else if n.owner != o {
		m := *n
		m.owner = o
		n = &m
	}
	i := nibble(&e.doc.ID, level)
	n.kids[i] = n.kids[i].put(o, e, level+1)
	return n
}

// remove takes id out, if it is in.
func (t *trie) remove(o *trieOwner, id ID) {
	if t.get(id) != nil {
		t.n--
		t.root = t.root.remove(o, &id, 0)
	}
}

func (n *trieNode) remove(o *trieOwner, id *ID, level int) *trieNode {
	if n.leaf != nil {
		return nil
	}
	if n.owner != o {
		m := *n
		m.owner = o
		n = &m
	}
	i := nibble(id, level)
	n.kids[i] = n.kids[i].remove(o, id, level+1)
	var only *trieNode
	for _, k := range n.kids {
		switch {
		case k == nil:
		case only != nil || k.leaf == nil:
			return n
		default:
			only = k
		}
	}
	return only // a node with one leaf becomes the leaf
}

// all visits the entries by ID until yield returns false.
func (t trie) all(yield func(*entry) bool) { t.root.all(yield) }

func (n *trieNode) all(yield func(*entry) bool) bool {
	if n == nil {
		return true
	}
	if n.leaf != nil {
		return yield(n.leaf)
	}
	for _, k := range n.kids {
		if !k.all(yield) {
			return false
		}
	}
	return true
}
