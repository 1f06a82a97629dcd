//go:build !linux

package main

import "os"

// peakRSS is measured on Linux alone.
func peakRSS(*os.ProcessState) int { return 0 }
