//go:build unix

package parse

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// setUp gives the worker one end of a pair of sockets, its only ones, by which
// it gets files as descriptors: it needs no path and no right to open one.
func (w *process) setUp(cmd *exec.Cmd) (theirs *os.File, err error) {
	syscall.ForkLock.RLock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, err
	}
	w.files = os.NewFile(uintptr(fds[0]), "files")
	theirs = os.NewFile(uintptr(fds[1]), "files")
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Env = append(cmd.Env, envFD+"=3")
	attributes(cmd)
	return theirs, nil
}

// passFile sends an open file. Its offset is not touched by reading at places.
func (w *process) passFile(f *os.File) error {
	c, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var sendErr error
	err = c.Control(func(fd uintptr) {
		sendErr = unix.Sendmsg(int(w.files.Fd()), []byte{1}, unix.UnixRights(int(fd)), nil, 0)
	})
	return errors.Join(err, sendErr)
}

// receiveFile takes an open file from the parent.
func receiveFile(files *os.File) (*os.File, error) {
	if files == nil {
		return nil, errors.New("there is no way for files to come")
	}
	buf, oob := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	for {
		n, oobn, _, _, err := unix.Recvmsg(int(files.Fd()), buf, oob, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, errors.New("the parent is gone")
		}
		msgs, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil || len(msgs) != 1 {
			return nil, fmt.Errorf("no file came: %w", errors.Join(err, errors.ErrUnsupported))
		}
		fds, err := unix.ParseUnixRights(&msgs[0])
		if err != nil || len(fds) != 1 {
			return nil, fmt.Errorf("no file came: %w", errors.Join(err, errors.ErrUnsupported))
		}
		unix.CloseOnExec(fds[0])
		return os.NewFile(uintptr(fds[0]), "document"), nil
	}
}

func limitProcess(*os.Process, int64) {}

// shot reports that a process was ended by a signal which the system, a person
// or another program sends, not a fault of its own.
func shot(s *os.ProcessState) bool {
	ws, ok := s.Sys().(syscall.WaitStatus)
	return ok && ws.Signaled() && (ws.Signal() == syscall.SIGKILL || ws.Signal() == syscall.SIGTERM)
}
