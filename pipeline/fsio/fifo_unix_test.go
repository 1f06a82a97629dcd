//go:build linux || darwin

package fsio

import "golang.org/x/sys/unix"

func mkfifo(name string) error { return unix.Mkfifo(name, 0o600) }

// mknod makes a device, which only root may.
func mknod(name string) error {
	return unix.Mknod(name, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3)))
}
