// Package rowfile reads and writes files whose records are rows: what formats
// such as CSV and JSON lines have in common.
//
// # Reading
//
// A path is a file, a folder (everything in it that package fsio does not
// ignore) or a glob. A file is read once, or followed: what is appended is read
// from where the last reading ended; a file that was rewritten has its rows
// retracted, and is read again. It counts as appended to if what was read of it
// is unchanged. All of it is compared, except in a file of more than 1 MB that is
// still the same file and has grown: of that only the first and the last 64 KB.
//
// To be able to retract rows, what was read is kept in the source's state, as
// compressed text, and read again when the time comes. It is not kept in static
// mode, nor for files declared to be append-only: of those a truncated or
// replaced file is taken for a new one, and the rows of the old one stay.
//
// A file, or what was appended to it, enters the pipeline as one atomic group, up
// to 64k rows; longer ones in several. The key of a row is the hash of source,
// file and offset. A record that lacks its line end waits until the file has
// been quiet for a moment and is then a row; should more of it come, that row
// is taken back.
//
// # Writing
//
// A change stream is appended to a file, whose length is a part of each commit:
// after a crash the file is cut back to that length.
package rowfile
