//go:build unix

package parse

import "syscall"

// shortages are how the system says that it has no more of something.
var shortages = []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EAGAIN, syscall.ENOSPC, syscall.EDQUOT}
