// Package filter decides which documents a query is about: it parses metadata
// filters, evaluates them against one document, and answers them for all
// documents at once from columns.
//
// # The dialect
//
// It is the one that Pathway's clients send, which is JMESPath with back-quoted
// strings and globs:
//
//	owner == `legal` && contains(path, `2024`)
//	globmatch(`**/*.pdf`, path) && !(size > 1000000)
//	modified_at >= `1702672093` || modified_at >= '2023-12-15'
//
// Operators, loosest first: ||, &&, then == != < <= > >=, then !; parentheses.
// Operands are
//
//   - fields: path, source, title, type, language, owner, size, created_at,
//     modified_at, seen_at (UNIX seconds) and whatever attributes a document has;
//     a.b and a[0] reach into nested values, "odd name" names any field; what a
//     document does not have is null;
//   - `text`: back-quoted text, the quotation marks " inside dropped, ' an
//     ordinary character. Beside a number, boolean or null it is read as one
//     (`42`, `true`, `null`), beside a number also as a date (`2024-05-01`,
//     RFC 3339), and [..] or {..} that is JSON is that value;
//   - 'text': always text, except that a date is understood beside a number;
//   - 42, -1.5e3, true, false, null;
//   - functions: abs, ceil, contains, ends_with, floor, globmatch, length, lower,
//     not_null, starts_with, to_number, to_string, type, upper. An argument of
//     the wrong type makes the result null.
//
// Values of different types are not equal, and ordering them gives null. Texts
// are ordered by their bytes. A filter holds if its value is true in JMESPath's
// sense: anything but false, null, "" and empty arrays and objects.
//
// # Globs
//
// A pattern is data: it is bound, never pasted into an expression. * matches any
// characters, also /; **/ at the start of a segment matches any number of whole
// segments, none included; ? one character; [a-z] and [!a-z] one of a set; all
// else itself, case included. So *.pdf and **/*.pdf both match a/b.pdf, and
// **/x.txt matches x.txt. globmatch takes its two arguments in either order. A
// pattern matched against the field path holds if it matches path or
// source/path.
//
// # Use
//
// Parse gives an Expr; Expr.Match is the plain evaluator for one document. Index
// holds the fields of all documents; its snapshots are immutable, and
// Snapshot.Select gives the rows of the documents for which Match holds, always
// exactly those.
package filter
