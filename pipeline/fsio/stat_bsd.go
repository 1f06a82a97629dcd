//go:build darwin || freebsd || netbsd

package fsio

import (
	"io/fs"
	"syscall"
	"time"
)

func changeTime(s *syscall.Stat_t) int64 { return s.Ctimespec.Nano() }

// created returns when the file was made.
func created(_ string, fi fs.FileInfo) time.Time {
	s, ok := fi.Sys().(*syscall.Stat_t)
	if !ok || s.Birthtimespec.Sec <= 0 {
		return time.Time{}
	}
	return time.Unix(s.Birthtimespec.Unix()).UTC()
}

// remote would name a file system without events; not known here, so that lost
// events have to show it.
func remote(string) string { return "" }
