// Package transform brings text into the form that a blind index compares:
// `digits|last(4)`, `fold|trim` and the like.
//
// What a transform makes of a text is stored, through the index computed from
// it, so it never changes: the tables are those of package unicode15, and
// testdata/vectors/v1 freezes the results. A transform that must change gets a
// new name. fieldcrypt/FORMAT.md, "Transforms", defines each one exactly.
package transform
