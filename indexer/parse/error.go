package parse

import (
	"errors"
	"fmt"
)

// Fault says in a word why a file could not be read.
type Fault string

// The faults. Deadline, Memory and Crashed are a reader's, and another attempt
// may end otherwise; the others are the file's and stay until it changes.
const (
	Encrypted  Fault = "encrypted"
	Damaged    Fault = "damaged"  // cut off or malformed
	Bomb       Fault = "bomb"     // unpacks, nests or repeats beyond reason
	TooLarge   Fault = "toolarge" // honest, but beyond a limit
	Changed    Fault = "changed"  // while it was being read
	Unreadable Fault = "unreadable"
	Deadline   Fault = "deadline"
	Memory     Fault = "memory"
	Crashed    Fault = "crashed"
)

// Error is a file that should have been readable and was not. Reason is a
// sentence for the owner of the file; the cause, if any, is for the log.
type Error struct {
	Type   string // media type, "" if it was not found out
	Fault  Fault
	Reason string
	Err    error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %v", e.Reason, e.Err)
	}
	return e.Reason
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// SkipError is a file that holds nothing to read or is of a type that is not
// read: no failure, and nothing to try again.
type SkipError struct {
	Type   string // media type
	Reason string
}

func (e *SkipError) Error() string { return e.Reason }

// Reason returns what to show the owner of the file: the sentence of an Error
// or SkipError, or the error's own text.
func Reason(err error) string {
	var f *Error
	var s *SkipError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &s):
		return s.Reason
	case errors.As(err, &f):
		return f.Reason
	}
	return err.Error()
}

func fault(f Fault, err error, format string, a ...any) *Error {
	return &Error{Fault: f, Err: err, Reason: fmt.Sprintf(format, a...)}
}
