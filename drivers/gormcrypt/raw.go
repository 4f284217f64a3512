package gormcrypt

import (
	"regexp"
	"strings"

	"gorm.io/gorm"

	"github.com/fieldcrypt/go/fieldcrypt"
)

const allowRawKey = "fieldcrypt:allow-raw"

// AllowRaw lets the Raw or Exec that follows name encrypted columns. Nothing in
// its text is sealed, rewritten or opened, apart from rows that are scanned into
// a marked model: what it stores must be a stored value, and what it compares is
// ciphertext. Index columns are compared with what [Terms] gives.
//
//	terms, err := gormcrypt.Terms(db, &Patient{}, "mrn", "MRN-1042")
//	gormcrypt.AllowRaw(db).Exec("UPDATE patients SET notes = NULL WHERE mrn_bidx IN ?", terms)
func AllowRaw(db *gorm.DB) *gorm.DB { return db.Set(allowRawKey, true) }

var ddlWords = wordSet("create", "alter", "drop", "comment", "pragma", "truncate", "reindex", "vacuum", "analyze", "do")

// recreate is how GORM's migrator copies a SQLite table into its next form.
var recreate = regexp.MustCompile("^INSERT INTO `(.+)__temp`\\((.*)\\) SELECT (.*) FROM `(.+)`$")

// checkRaw refuses hand-written SQL that names encrypted columns: it would store
// plaintext, or find nothing.
func (b *binding) checkRaw(stmt *gorm.Statement) error {
	text := stmt.SQL.String()
	if strings.Contains(text, ddlError) {
		return b.registry.Load().ddlRefused(text)
	}
	reg := b.registry.Load()
	if !reg.concerns(text) {
		return nil
	}
	p := parse(text, len(stmt.Vars), nil, false)
	if len(p.tokens) == 0 {
		return nil
	}
	if p.tokens[0].kind == word && ddlWords[p.tokens[0].name] && !carriesQuery(p, text) {
		return b.beforeDDL(stmt, text)
	}
	if rawAllowed(stmt) {
		return nil
	}
	if t := reg.insertsBlindly(p); t != nil {
		return fieldErr("query", anyColumn([]*table{t}).field, fieldcrypt.ErrQueryOnCiphertext,
			"raw SQL that inserts into its table without naming columns; use Create, or gormcrypt.AllowRaw with stored values")
	}
	if m := recreate.FindStringSubmatch(text); m != nil && m[1] == m[4] && m[2] == m[3] {
		return nil
	}
	if c := rawColumn(reg, text); c != nil {
		return fieldErr("query", c.field, fieldcrypt.ErrQueryOnCiphertext,
			"raw SQL that names it; use Where, Updates and Find, or gormcrypt.AllowRaw with index columns compared IN the terms of gormcrypt.Terms")
	}
	return nil
}

// carriesQuery reports whether a statement that changes the schema does more:
// CREATE TABLE AS copies rows, DO runs anything, and so does a second statement.
func carriesQuery(p *parsed, text string) bool {
	if p.tokens[0].is("do") {
		return text != createDomain
	}
	return anyWord(text, func(w string) bool { return w == "select" || w == "execute" }) || strings.Contains(text, ";") && parseDDL(text).several()
}

// rawColumn returns an encrypted column that a text names beside its table.
func rawColumn(reg *registry, text string) (c *column) {
	var tables []*table
	anyWord(text, func(w string) bool {
		tables = append(tables, reg.find(w)...)
		return false
	})
	anyWord(text, func(w string) bool {
		for _, t := range tables {
			if c = firstColumn(t.columns[w], t.plains[w]); c != nil {
				return true
			}
		}
		return false
	})
	return c
}
