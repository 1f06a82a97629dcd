package answer

import "fmt"

// Backlog is what a retriever cannot find yet.
type Backlog struct {
	Documents int  // new or changed ones on their way
	Found     int  // documents that can be found
	Listing   bool // sources are still being looked through for the first time
}

// matters reports whether an answer should speak of the backlog: always if
// nothing was found, else while documents are looked for the first time or more
// than one in a hundred is on its way. A server that watches a busy folder always
// has a few, and a notice under every answer is none.
func (b Backlog) matters(k Kind) bool {
	if k == Refused {
		return b.Documents > 0 || b.Listing
	}
	return b.Listing || b.Documents*100 > b.Found
}

// String says in a sentence what is missing.
func (b Backlog) String() string {
	switch {
	case b.Documents == 1:
		return "one document is still on its way into the index: what it says is not in this answer"
	case b.Documents > 0:
		return fmt.Sprintf("%d documents are still on their way into the index: what they say is not in this answer", b.Documents)
	}
	return "the sources are still being looked through: what they hold may be missing from this answer"
}
