package main

import "golang.org/x/sys/windows"

// How the system says what has an exit code of its own.
var (
	diskFull  = []error{windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL, windows.ERROR_DISK_QUOTA_EXCEEDED}
	portTaken = []error{windows.WSAEADDRINUSE, windows.WSAEACCES} // the latter if it was taken for good
	noAddress = []error{windows.WSAEADDRNOTAVAIL}
)
