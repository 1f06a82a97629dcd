// Package csvio reads tables from CSV files and writes their changes to them.
//
// A file begins with the names of its columns, and a column goes to the field of
// the row that has its name: that of the tag `csv:"name"`, or the field's own,
// in upper or lower case. Columns without a field are passed over; a field
// without a column is an error of the file, unless its tag ends in ",optional".
// Fields are strings, whole and floating-point numbers, bools, time.Time
// (RFC 3339), types that implement encoding.TextUnmarshaler and
// encoding.TextMarshaler, and pointers to those, which are nil where the file has
// nothing.
//
// Quoting is that of encoding/csv. A record that is no row (too few columns, a
// word where a number should be, a stray quote) goes to the graph's error table
// with file and line, and the others go on.
//
// [Read] follows files, in a folder, under a glob or one, or reads them once
// in static mode: what is appended becomes new rows, what is rewritten or
// deleted is retracted. One change goes unnoticed: in a file of more than 1 MB,
// behind the first and before the last 64 KB, bytes overwritten in place while
// the same file also grows. Strings of a row share memory with the
// block of the file that they were read from; who keeps one for long clones it.
//
// [Write] appends the change stream of a table to a file, with two more columns:
// time is the epoch and diff +1 or −1. With the graph's state it is
// exactly-once: at a restart the file is cut back to what was committed.
package csvio
