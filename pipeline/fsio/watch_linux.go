package fsio

import (
	"errors"
	"syscall"
)

// limitHint says what to do when the limit of watches is reached.
func limitHint(err error) string {
	if errors.Is(err, syscall.ENOSPC) {
		return " (the limit of watches is reached; raise fs.inotify.max_user_watches)"
	}
	return ""
}
