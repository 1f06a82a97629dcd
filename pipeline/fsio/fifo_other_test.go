//go:build !unix

package fsio

import "errors"

func mkfifo(string) error { return errors.ErrUnsupported }
