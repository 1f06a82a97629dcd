package main

import (
	"os"
	"syscall"
)

// peakRSS is the most memory that a process had, in megabytes.
func peakRSS(p *os.ProcessState) int {
	if u, ok := p.SysUsage().(*syscall.Rusage); ok {
		return int(u.Maxrss / 1024)
	}
	return 0
}
