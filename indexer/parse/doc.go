// Package parse reads files into documents: text with its structure.
//
// # What is read
//
// Plain text and source code, Markdown, HTML, PDF, Word (docx), CSV and TSV,
// JSON and JSON lines, in any common encoding. What a file is, its content
// says; its name only decides between formats that are all plain text. Other
// types are told apart and reported as a *SkipError, and what should have been
// readable and was not as an *Error, each with a reason for the file's owner.
//
// A Document is a list of blocks in reading order: headings with their level,
// paragraphs, lists, tables in pipe form, code, quotes; PDF and Word blocks know
// their page. Long tables are sliced and every slice has the header. Markdown
// writes a document as the text that is indexed.
//
// # PDF
//
// Two readers share the work. The first runs each page's operators over
// ledongthuc/pdf, which reads objects, streams and encodings: fast, and without
// a start. A page whose fonts it cannot trust, that is turned, or whose result
// does not look like text goes to the second, pdfium as WebAssembly, which
// takes seconds to compile once (its code is then cached) and reads all that
// Chromium reads. What repeats at the edges of pages is set apart after its first
// time, numbers of pages go, words parted by hyphens are joined, and large or
// bold lines are headings.
//
// # Safety
//
// Files come from strangers. A Pool reads them in worker processes of the same
// program (Worker is their main function): each with a limit on memory, a
// deadline for each file, low priority, a temporary directory of its own, the
// file as an open descriptor instead of a path (on Windows as bytes) and, on
// Linux, no right to open a socket or start a program. A file that crashes, hangs or bloats its
// worker costs its own attempt; the worker is replaced. One that takes longer than
// a moment holds up only others of its kind (lanes.go). Readers of small plain
// text, which is most of what changes often, run in the calling process: they
// are linear, bounded and fuzzed.
//
// Limits bound every file's size, expansion, nesting and output. Nothing is cut
// off silently: what goes beyond a limit fails and says so.
package parse
