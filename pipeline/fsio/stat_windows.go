package fsio

import (
	"io/fs"
	"syscall"
	"time"
)

// statOf has no identity of a file on Windows: it would cost opening each.
func statOf(fi fs.FileInfo) stat {
	return stat{size: fi.Size(), mtime: fi.ModTime().UnixNano(), mode: uint32(fi.Mode().Perm())}
}

func ownerName(uint32) string { return "" }

func created(_ string, fi fs.FileInfo) time.Time {
	d, ok := fi.Sys().(*syscall.Win32FileAttributeData)
	if !ok {
		return time.Time{}
	}
	return time.Unix(0, d.CreationTime.Nanoseconds()).UTC()
}

func remote(string) string { return "" }
