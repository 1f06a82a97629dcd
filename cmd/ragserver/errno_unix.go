//go:build unix

package main

import "syscall"

// How the system says what has an exit code of its own. A limit on the size of
// a file or a user's share is a full disk to us.
var (
	diskFull  = []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG}
	portTaken = []error{syscall.EADDRINUSE}
	noAddress = []error{syscall.EADDRNOTAVAIL}
)
