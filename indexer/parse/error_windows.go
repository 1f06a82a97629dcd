package parse

import "golang.org/x/sys/windows"

// shortages are how the system says that it has no more of something.
var shortages = []error{
	windows.ERROR_TOO_MANY_OPEN_FILES, windows.ERROR_NOT_ENOUGH_MEMORY, windows.ERROR_OUTOFMEMORY,
	windows.ERROR_NO_SYSTEM_RESOURCES, windows.ERROR_COMMITMENT_LIMIT, windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL,
}
