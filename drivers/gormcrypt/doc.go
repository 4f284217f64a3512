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
// answer. The caller's structs, maps and conditions are never changed, but for the
// tenant that Create fills in.
//
// The fields of a domain that one statement writes into one row share a salt, and
// so a key derivation. An update of many rows (Where without a key) writes one
// ciphertext into all of them: that they are equal shows until each is written
// again. Many rows that are inserted at once, or found into a slice, are sealed
// and opened in several goroutines, where their fields are text, bytes, numbers,
// bools or times.
//
// Save seals all fields anew, as it writes all columns; Updates, Select, Omit and
// Statement.Changed work as for plain columns, and what is not written is not
// touched. Compare-and-set goes through the index:
//
//	tx := db.Model(&Patient{}).Where("id = ? AND mrn = ?", id, old).Update("mrn", new)
//	lost := tx.RowsAffected == 0
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
// # Tenants
//
// Rows of a model with keys per tenant belong to the tenant in its column tagged
// ",tenant". The context names the tenant of what is written and searched:
//
//	db.WithContext(fieldcrypt.WithTenant(ctx, "acme"))
//
// It is filled into rows that name none, and a row of another tenant is refused;
// every condition on such a field, and every update of one, holds for rows of that
// tenant alone. Where the context names none, the row's own tenant serves, or one
// that WHERE fixes by equality. Rows are read under their own tenant, whichever the
// context names: who may read which rows is the application's to ask in WHERE.
//
// # Bound values
//
// A field with bind=<Field> opens in the row with that field's value only. An
// update of it needs to know the value: from WHERE (key = value), the Model, or the
// update itself. So bulk updates of bound fields are refused, and so are updates of
// the bound column without all fields bound to it. Upserts need the bound column,
// or the tenant's, in their conflict target.
//
// Columns that a field depends on, the tenant's and the bound one, are added to
// the SELECT of queries that do not name them.
//
// # Adoption
//
// While a field is tagged plain=<column>, that plaintext column is written beside
// the encrypted one and cannot be named. A row whose encrypted column is still NULL
// is an error, or with plain=<column>,fallback and
// [fieldcrypt.Config.AllowPlaintextFallback] is read, and found by =, from
// plaintext, and audited.
//
// An index that is being moved to another key (keymgr.Manager.BeginReindex) is
// written to the column <index column>_next as well.
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
// Updating one field of an index over several alone is refused. A NOT around a
// condition on a field with keys per tenant is answered in WHERE on the statement's
// own table only; write <> or NOT IN.
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
// An index column that is named in a condition is compared with terms ([Terms])
// alone: values are refused.
//
// A statement keeps the conditions and maps that its caller gave it, as GORM
// needs them again: printing a whole gorm.Statement prints those.
package gormcrypt
