// Package keyword finds rows of text by their words: analysis for many
// languages, and BM25 over compressed postings.
//
// # Model
//
// An Index holds rows, numbered by the caller, each with a title, a heading and
// a body in one language. One goroutine adds and removes rows; Snapshot makes an
// epoch of what it did. A Snapshot is immutable and answers without a lock:
// Parse analyses a text, TopK gives the best rows, Score the scores of given
// rows, Explain the share of each term. All give the same scores; the number of
// rows, the average length and how many rows have a term are exact, also after
// rows were removed. What scores zero is not a hit.
//
// # Words
//
// Package words cuts texts. A word is stemmed in its row's language; identifiers
// and numbers are found whole and in parts, scripts without spaces between words
// by pairs of characters. A row without a language gets the one it seems to be
// in. A query has no language: each of its words is looked up under the stem it
// has in every language that live rows are in.
//
// # Inside
//
// Every snapshot turns the rows added since the last one into a segment, an
// immutable stretch of bytes in its form on disk; segments of like size are
// merged, so that there are few (as in a log-structured merge tree). Rows that
// die are marked beside their segment, and counted off the statistics through a
// list of each row's terms. Nothing in a segment is a pointer, so the garbage
// collector does not see how large the index is. Searches are MaxScore in
// windows, on one segment after the other with one list of the best.
package keyword
