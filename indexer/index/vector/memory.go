package vector

import "fmt"

// Memory is a run of zero bytes outside the Go heap, where the collector
// neither scans it nor counts it when it decides how far the heap may grow.
type Memory struct{ Bytes []byte }

// Reserve allocates n bytes. Pages that are never written cost nothing.
func Reserve(n int) (Memory, error) {
	if n == 0 {
		return Memory{}, nil
	}
	b, err := reserve(n)
	if err != nil {
		return Memory{}, fmt.Errorf("vector: reserving %d bytes of memory: %w", n, err)
	}
	return Memory{b}, nil
}

// Release gives the bytes back. Whoever still reads them crashes.
func (m Memory) Release() {
	if m.Bytes != nil {
		release(m.Bytes)
	}
}
