package durable

// SyncDir does nothing: Windows has no sync of folders, NTFS logs their changes.
func SyncDir(string) error { return nil }
