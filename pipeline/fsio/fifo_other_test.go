//go:build !linux && !darwin

package fsio

import "errors"

func mkfifo(string) error { return errors.ErrUnsupported }

func mknod(string) error { return errors.ErrUnsupported }
