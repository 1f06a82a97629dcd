//go:build unix && !linux

package parse

import (
	"os/exec"

	"golang.org/x/sys/unix"
)

func attributes(*exec.Cmd) {}

// confine lowers the priority. There is no way here to forbid sockets without
// privileges, and limits of memory are not kept by the system: watchMemory is.
func confine(int64) error {
	return unix.Setpriority(unix.PRIO_PROCESS, 0, 5)
}
