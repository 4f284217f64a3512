// Package unicode15 is the part of Unicode 15.0.0 that stored bytes depend on:
// normalization form C, default case conversion and folding, and a few
// character classes.
//
// A blind index is computed when a row is written and again, perhaps years and
// several Go releases later, when somebody searches for it. Both must see the
// same characters, so the tables are pinned here and neither package unicode
// nor golang.org/x/text, which move on to newer versions of Unicode, is used
// outside the generator. Code points that 15.0.0 does not assign have
// canonical combining class 0, no decomposition and no case, so they pass
// every function unchanged.
//
// Do not change the tables or a function's results: stored indexes would no
// longer be found. A newer Unicode is a new package and new names of
// transforms.
//
// The functions that take and return a []byte own their argument: they may
// overwrite it, and the result lies in its memory or in new memory. They expect
// valid UTF-8.
package unicode15

//go:generate go run ./gen tables.go
