// Package fsio brings folders into a pipeline: one row for each file, with its
// metadata, that follows the file through edits, renames and deletion. What is
// in the file stays there; who needs it opens it (Folder.Open) when he gets to it.
//
// # How changes are found
//
// Events of the operating system are hints, looking is the truth. An event says
// which path to look at; a file that is being written is left alone until it
// has been quiet for a moment (Options.Quiet, 20 ms), but not for more than
// five seconds (Options.Patience). From time to time everything is looked at again, which heals
// lost events. Where events cannot be had (the system's limit of watches is
// reached, the folder lies on a network or container mount, changes turn up
// without events) looking by interval takes over, and the log and Status say so.
//
// A file has changed when its size, modification time (in ns), inode, or, with
// the same permissions and owner, its change time is another. A modification
// time that is younger than the clock of the file system can tell apart is not
// trusted: the content is hashed as well (xxh3-128) and compared again once the
// time is old enough.
//
// # What is and is not seen
//
//   - Only regular files. A link to a file within the folder is a file of its
//     own, under its own path, that changes when that file does: so are the two
//     names of a hard link, and so arrive files that are put in place by links
//     to hidden directories, as Kubernetes mounts them. No other link is
//     followed: one that leads out would read what nobody asked to have read
//     (rsync's --safe-links draws the same line), what one to a directory leads
//     to is seen where it lies. These, links that lead nowhere or in a circle,
//     pipes, sockets and devices have rows with the reason in Skipped if
//     Options.Others asks for them. Nobody takes such a row for data unasked:
//     otherwise they are told of in the graph's error table.
//   - Hidden files, temporary files of editors and browsers, and the folders of
//     version control are ignored; a .ragignore in any folder (syntax of
//     .gitignore) ignores more, or takes some of it back with "!".
//   - A directory that a file in it marks as the data of a program
//     (Options.Mark) is not looked into; it is told of like a pipe.
//   - A file that cannot be read has a row with the reason in Problem, and is
//     tried again. What is in a directory that cannot be read stays as it was.
//   - A folder that is missing when the source starts is an error. One that
//     vanishes later, or comes back empty on another device (an unmounted disk),
//     deletes nothing: the source reports the trouble and waits.
//   - Names need not be UTF-8: Path has the bytes of the name.
//
// # Groups and restarts
//
// The first scan commits its rows in slices, and live changes go in between.
// The engine keeps the rows; after a restart only what differs is emitted.
package fsio
