// Package words knows what a word is, in many languages: it cuts text into
// words, takes words to their stems, tells function words, and detects which
// language a text is in. The keyword index and the extractive answers are built
// on it, so that what one finds the other recognises.
//
// A Scanner folds text by NFKC, puts it in lower case and cuts it by UAX #29,
// with a short way for ASCII; every Word tells where in the text it stood.
// Identifiers and numbers are given whole and in parts: v1.2.3, ERR_CONN_RESET,
// E-21, snake_case, camelCase, 1,000. Scripts without spaces between words (Han,
// Kana, Hangul, Thai and others) come as characters and as pairs of them.
//
// A Stemmer takes a word to its term: the Snowball stem without accents. Words
// of languages without a stemmer lose their accents only.
package words
