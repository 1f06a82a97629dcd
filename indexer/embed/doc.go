// Package embed turns texts into vectors: by the static tables that are part of
// the binary (Builtin), or by any server that speaks OpenAI's embeddings
// protocol (NewOpenAI). Both have the method
//
//	Embed(ctx context.Context, texts []string) ([][]float32, error)
//
// one vector a text, in order, a zero vector for a text that has none; both are
// safe for concurrent use.
//
// # The built-in embedder
//
// Two tables give each token a row of 192 numbers: one of English words and word
// pieces, distilled from all-MiniLM-L6-v2, one of pieces of many languages
// (Latin, Cyrillic, Greek, Arabic, Han), from the multilingual Universal
// Sentence Encoder. A text's tokens are looked up, their rows summed, the sums
// brought to length 1. Both go into one vector of 384 numbers,
//
//	√0.6 · g · English, √0.4 · multilingual
//
// where the gate g falls from 1 to 0 as the share of the text's words that the
// English table knows whole falls from 0.8 to 0.6. The vector is not brought to
// length 1 again: similarity is the dot product, a text that is not English lives
// in the second half, and English documents are still found from it. No
// inference, no limit on length, no prefix for queries.
//
// The tables and the program that made them, static/distil.py, lie in the folder
// static; static/README.md says from what, and how to make them again.
package embed
