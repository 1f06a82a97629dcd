//go:build unix && !linux && !darwin && !freebsd && !netbsd

package fsio

import (
	"io/fs"
	"syscall"
	"time"
)

func changeTime(*syscall.Stat_t) int64 { return 0 }

func created(string, fs.FileInfo) time.Time { return time.Time{} }

func remote(string) string { return "" }
