package fsio

import (
	"io/fs"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func changeTime(s *syscall.Stat_t) int64 { return s.Ctim.Nano() }

// created returns when the file was made, if the file system tells.
func created(path string, _ fs.FileInfo) time.Time {
	var s unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_STATX_DONT_SYNC, unix.STATX_BTIME, &s)
	if err != nil || s.Mask&unix.STATX_BTIME == 0 {
		return time.Time{}
	}
	return time.Unix(s.Btime.Sec, int64(s.Btime.Nsec)).UTC()
}

// remote names the kind of file system that path is on if it is one whose
// changes may be made by other machines, or outside this container, without
// events here; otherwise it returns "".
func remote(path string) string {
	var s unix.Statfs_t
	if unix.Statfs(path, &s) != nil {
		return ""
	}
	switch uint32(s.Type) {
	case unix.NFS_SUPER_MAGIC:
		return "NFS"
	case unix.SMB_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC:
		return "SMB"
	case unix.FUSE_SUPER_MAGIC:
		return "FUSE"
	case unix.V9FS_MAGIC:
		return "9p"
	case unix.CEPH_SUPER_MAGIC:
		return "Ceph"
	case unix.AFS_SUPER_MAGIC:
		return "AFS"
	case unix.CODA_SUPER_MAGIC:
		return "Coda"
	case 0x786f4256: // VirtualBox shared folder
		return "vboxsf"
	case 0xbacbacbc: // VMware shared folder
		return "vmhgfs"
	}
	return ""
}
