// Package gormcrypt makes GORM seal and open the tagged fields of models.
//
//	type Patient struct {
//		gormcrypt.Encrypted                                          // first field; adds no column
//		ID   uint64
//		MRN  string  `fieldcrypt:"medical,index" gorm:"uniqueIndex"`
//		Card string  `fieldcrypt:"finance,index=digits"`
//	}
//
//	err := db.Use(gormcrypt.New(fc, &Patient{}))                     // right after gorm.Open
//	err = db.AutoMigrate(&Patient{})
//	db.Create(&p)                                                    // p keeps its plaintext
//	db.Where("mrn = ?", "MRN-1042").First(&p)                        // asks the blind index
//
// It works on Postgres and SQLite.
//
// # How it works
//
// While GORM parses a model, the marker changes how its tagged fields are read
// and which columns they have. Everything that is written or searched passes
// through GORM's clause builders, where this package seals values, turns
// comparisons into ones of blind indexes, and refuses what ciphertext cannot
// answer. The caller's structs, maps and conditions are never changed.
//
// # What is answered
//
// Comparisons by =, <>, IN and NOT IN with placeholders, in every form that GORM
// takes them, on fields with an index of full length for themselves alone; and
// IS [NOT] NULL on all. LIKE, ranges, ORDER BY, GROUP BY, functions, literals
// and text that is not understood are errors that name the column.
//
// Where all fields of an index over several are compared by = and joined by AND,
// that index answers, for fields without one of their own too, provided that it
// takes for equal what theirs do. [Match] asks any index by name; [Terms] gives
// what hand-written SQL compares its column with.
//
// A truncated index finds other rows besides. It answers = and IN, and Match, as
// a condition that AND joins to the rest of WHERE, of Find, First, Take, Last and
// FindInBatches into structs of a marked model, or slices of them, that are given
// its fields. Rows that do not match are taken out before Preload and AfterFind;
// for LIMIT more rows are read, again if those are too few. OFFSET, GROUP BY,
// Count, Pluck, maps, Scan, Rows, DryRun, OR, NOT, joins, sub-queries, Update and
// Delete are refused over it: read the rows, and go on with their primary keys.
//
// # The schema
//
// AutoMigrate makes encrypted columns with what keeps plaintext out of them: on
// Postgres the domain fieldcrypt_value, on SQLite a CHECK. It adds them and their
// index columns to tables with rows, which have NULL there until they are written
// or re-indexed, and never converts a column of plaintext; neither does another
// model of the table, nor Exec. Call [Check] where the application starts and
// after migrations that were written by hand: it names each difference between
// models and tables, and changes nothing.
//
// Who renames an encrypted column renames its index column too, and keeps its
// identity by the option id=. The migrator's CreateIndex and HasIndex know an
// index by its name or its index column ("mrn_bidx"). On SQLite, GORM makes a
// table anew to change or drop a column, without the indexes that its models do
// not have; where rows of other tables would go with it, that is refused.
//
// # Limits
//
// Updating one field of an index over several alone is refused.
//
// The tenant of the context keeps what is sealed and what is searched by an index
// in its tenant. Conditions on other columns, deletions by them and updates that
// seal nothing reach the rows that they name, whoever's they are.
//
// Find, First, Take and Pluck see where rows go. Scan does not: into a marked
// model it opens fields, in other structs they stay empty, in maps they have
// another name. What Rows gives to rows.Scan, what ScanRows fills unless it is a
// marked model, and relations that are joined and scanned into maps, is what is
// stored.
//
// Raw SQL that names encrypted columns, and Scan or Rows of raw SQL over their
// tables, need [AllowRaw]; so do comments, common table expressions and tables in
// parentheses in text that names such a table. Text into which values were filled,
// as ToSQL and CreateView do it, has <encrypted> in their place and is refused.
//
// An index column that is named in a condition is compared as it is, and what it is
// compared with is logged: give it terms, never a value.
//
// A statement keeps the conditions and maps that its caller gave it, as GORM
// needs them again: printing a whole gorm.Statement prints those.
package gormcrypt
