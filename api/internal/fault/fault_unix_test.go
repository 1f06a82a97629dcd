//go:build unix

package fault

import (
	"io/fs"
	"syscall"
	"testing"
)

func TestDiskFull(t *testing.T) {
	f := From(&fs.PathError{Op: "write", Path: "/secret/place", Err: syscall.ENOSPC})
	if f.Status != 507 || f.Code != "disk_full" {
		t.Errorf("%+v", f)
	}
}
