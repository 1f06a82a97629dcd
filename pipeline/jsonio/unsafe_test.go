package jsonio

import (
	"bytes"
	"unsafe"
)

func unsafePointer[T any](p *T) unsafe.Pointer { return unsafe.Pointer(p) }

func bytesHasNewline(b []byte) bool { return bytes.IndexByte(b, '\n') >= 0 }
