// Package jsonio reads tables from files of JSON lines (one object a line) and
// writes their changes to them.
//
// Rows are read and written as encoding/json does, tags included. A line that is
// no row goes to the graph's error table with file and line, and the others
// go on. Flat objects (numbers, strings, bools) take a short cut of several
// times the speed with the same result.
//
// [Read] follows files, in a folder, under a glob or one, or reads them once in
// static mode: what is appended becomes new rows, what is rewritten or deleted
// is retracted. Strings of a row may share memory with the
// block of the file that they were read from; who keeps one for long clones it.
//
// [Write] appends the change stream of a table to a file, with two more members:
// "time" is the epoch and "diff" +1 or −1. With the graph's state it is
// exactly-once: at a restart the file is cut back to what was committed.
package jsonio
