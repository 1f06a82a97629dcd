package parse

import (
	"errors"
	"os"
	"os/exec"
	"unsafe"

	"golang.org/x/sys/windows"
)

func (w *process) setUp(*exec.Cmd) (*os.File, error) { return nil, nil }

func (w *process) passFile(*os.File) error { return errors.ErrUnsupported }

func receiveFile(*os.File) (*os.File, error) { return nil, errors.ErrUnsupported }

// limitProcess puts a worker into a job that bounds its memory and ends with
// this process. The handle of the job stays open until this process ends.
func limitProcess(p *os.Process, memory int64) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return
	}
	info := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{ProcessMemoryLimit: uintptr(memory)}
	info.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_PROCESS_MEMORY | windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)))
	if err == nil {
		var h windows.Handle
		if h, err = windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(p.Pid)); err == nil {
			err = windows.AssignProcessToJobObject(job, h)
			windows.CloseHandle(h)
		}
	}
	if err != nil {
		windows.CloseHandle(job)
	}
}

// confine lowers the priority; memory is bounded by the job.
func confine(int64) error {
	return windows.SetPriorityClass(windows.CurrentProcess(), windows.BELOW_NORMAL_PRIORITY_CLASS)
}

// shot cannot be told here: who ends a process chooses its exit code.
func shot(*os.ProcessState) bool { return false }
