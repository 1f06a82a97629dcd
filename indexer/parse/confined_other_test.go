//go:build !linux

package parse

const confined = false
