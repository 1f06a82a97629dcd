package parse

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// attributes end the worker when this process ends, however it ends.
func attributes(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// confine lowers the priority, bounds the memory the system gives, and forbids
// sockets and programs for good.
func confine(memory int64) error {
	var errs []error
	// Priority belongs to threads here; later ones inherit it.
	tasks, err := os.ReadDir("/proc/self/task")
	errs = append(errs, err)
	for _, t := range tasks {
		if tid, err := strconv.Atoi(t.Name()); err == nil {
			errs = append(errs, unix.Setpriority(unix.PRIO_PROCESS, tid, 5))
		}
	}
	if memory > 0 {
		// Private writable memory, whether touched or not, so that an absurd
		// allocation fails at once. Address space would be the wrong measure:
		// the run time reserves far more of it than it uses.
		lim := uint64(memory)
		errs = append(errs, unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: lim, Max: lim}))
	}
	errs = append(errs, unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}))
	if err := forbid(); err != nil {
		errs = append(errs, fmt.Errorf("sockets could not be forbidden: %w", err))
	}
	return errors.Join(errs...)
}

// The parts of a seccomp program (linux/filter.h, linux/seccomp.h).
const (
	bpfLoad     = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	bpfEqual    = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	bpfAtLeast  = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	bpfReturn   = unix.BPF_RET | unix.BPF_K
	seccompDeny = 0x00050000 | uint32(unix.EPERM) // SECCOMP_RET_ERRNO
	seccompPass = 0x7fff0000                      // SECCOMP_RET_ALLOW
	seccompKill = 0x80000000                      // SECCOMP_RET_KILL_PROCESS

	seccompSetModeFilter = 1
	seccompThreads       = 1 // SECCOMP_FILTER_FLAG_TSYNC
)

// forbid makes the system refuse, for all threads, to open sockets, to start
// programs and to touch other processes. It needs no privilege.
func forbid() error {
	var arch, most uint32
	switch runtime.GOARCH {
	case "amd64":
		arch, most = unix.AUDIT_ARCH_X86_64, 0x40000000 // above: the x32 calls
	case "arm64":
		arch, most = unix.AUDIT_ARCH_AARCH64, 0x40000000
	default:
		return errors.ErrUnsupported
	}
	prog := []unix.SockFilter{
		{Code: bpfLoad, K: 4}, // seccomp_data.arch
		{Code: bpfEqual, Jt: 1, K: arch},
		{Code: bpfReturn, K: seccompKill},
		{Code: bpfLoad, K: 0}, // seccomp_data.nr
		{Code: bpfAtLeast, Jf: 1, K: most},
		{Code: bpfReturn, K: seccompDeny},
	}
	for _, nr := range []uint32{
		unix.SYS_SOCKET, unix.SYS_SOCKETPAIR, unix.SYS_CONNECT, unix.SYS_BIND, unix.SYS_LISTEN, unix.SYS_ACCEPT, unix.SYS_ACCEPT4,
		unix.SYS_EXECVE, unix.SYS_EXECVEAT, unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV,
		unix.SYS_IO_URING_SETUP, unix.SYS_BPF, unix.SYS_MOUNT, unix.SYS_UNSHARE, unix.SYS_SETNS,
	} {
		prog = append(prog, unix.SockFilter{Code: bpfEqual, Jf: 1, K: nr}, unix.SockFilter{Code: bpfReturn, K: seccompDeny})
	}
	prog = append(prog, unix.SockFilter{Code: bpfReturn, K: seccompPass})
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	fp := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	r, _, errno := unix.Syscall(unix.SYS_SECCOMP, seccompSetModeFilter, seccompThreads, uintptr(unsafe.Pointer(&fp)))
	if errno != 0 {
		return errno
	}
	if r != 0 {
		return fmt.Errorf("thread %d could not be brought under the filter", r)
	}
	return nil
}
