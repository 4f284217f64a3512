package gormcrypt

import (
	"maps"

	"gorm.io/gorm"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// Where the rows of Scan, Rows and Row go is not to be seen beforehand, nor what
// MapColumns makes of their names.

// rawRows refuses raw queries whose rows nobody would open: those of Scan, Rows
// and Row go where this package cannot see.
func (b *binding) rawRows(sc *scope, stmt *gorm.Statement) error {
	if _, rows := stmt.Settings.Load(rowsKey); !rows || rawAllowed(stmt) {
		return nil
	}
	c, err := sc.brings(stmt.SQL.String(), len(stmt.Vars))
	return firstError(err, onRows(c))
}

// onRows refuses to hand out rows; nil for no column.
func onRows(c *column) error {
	if c == nil {
		return nil
	}
	return fieldErr("query", c.field, fieldcrypt.ErrQueryOnCiphertext,
		"Scan, Rows and Row would hand out what is stored; use Find, First, Take or Pluck, or for raw SQL gormcrypt.AllowRaw where rows are scanned into a marked model")
}

// sealedName is what Scan calls an encrypted column: marked models know it by
// this name too, everything else has no place for it. Scan's destination is not
// to be seen beforehand, and must not be given ciphertext as if it were the value.
func sealedName(column string) string { return "fieldcrypt sealed " + column }

// hide gives the encrypted columns of a Scan their sealed names.
func (s *selection) hide() {
	mapping := maps.Clone(s.stmt.ColumnMapping)
	if mapping == nil {
		mapping = map[string]string{}
	}
	for name, c := range s.result {
		if name == c.key() {
			mapping[c.name] = sealedName(c.name)
		}
	}
	s.stmt.ColumnMapping = mapping
}

// remapped refuses a query whose MapColumns gives an encrypted column another
// name: it would not be opened under that.
func (s *selection) remapped() error {
	for _, c := range s.columns {
		if to, ok := s.stmt.ColumnMapping[c.name]; ok && to != sealedName(c.name) {
			return onCiphertext(c, "MapColumns")
		}
	}
	return nil
}

// unhide takes away the sealed names that an earlier Scan of the statement has left.
func unhide(stmt *gorm.Statement) {
	for name, to := range stmt.ColumnMapping {
		if to == sealedName(name) {
			stmt.ColumnMapping = maps.Clone(stmt.ColumnMapping)
			maps.DeleteFunc(stmt.ColumnMapping, func(name, to string) bool { return to == sealedName(name) })
			return
		}
	}
}
