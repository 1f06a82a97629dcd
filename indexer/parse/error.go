package parse

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Fault says in a word why a file could not be read.
type Fault string

// The faults. Deadline, Memory and Crashed are a reader's, and another attempt
// may end otherwise; Lacking is the machine's and passes; the others are the
// file's and stay until it changes.
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
	Lacking    Fault = "lacking" // a process, handles, memory or space to read it with
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
	if e.Err != nil && !strings.HasSuffix(e.Reason, e.Err.Error()) {
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

// Passing reports whether an error is of the machine and not of the file: there
// is nothing to be had that it takes to read or store one, and another attempt
// may end otherwise.
func Passing(err error) bool {
	var e *Error
	if errors.As(err, &e) {
		return e.Fault == Lacking
	}
	for _, s := range shortages {
		if errors.Is(err, s) {
			return true
		}
	}
	return false
}

// unreadable is an error of reading the bytes of a file.
func unreadable(err error) *Error {
	if Passing(err) {
		return fault(Lacking, err, "the file could not be read for now: %v", cause(err))
	}
	return fault(Unreadable, err, "the file could not be read")
}

// cause is an error without the names of files of ours, if it has any.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func fault(f Fault, err error, format string, a ...any) *Error {
	return &Error{Fault: f, Err: err, Reason: fmt.Sprintf(format, a...)}
}
