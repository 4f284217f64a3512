package gormcrypt

import (
	"fmt"
	"strings"

	"gorm.io/gorm"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// Terms returns what an index column is compared with in hand-written SQL: the
// terms of values under every live index key, those of the context's tenant
// where keys are per tenant. The index is named by its column, or by its field
// or the field's column if that has an index for itself alone; values are one for
// each field of the index, in the order of its Parts.
//
//	terms, err := gormcrypt.Terms(db, &Patient{}, "mrn", "MRN-1042")
//	gormcrypt.AllowRaw(db).Raw("SELECT * FROM patients WHERE mrn_bidx IN ?", terms).Scan(&patients)
//
// A truncated index, which only its column names, finds other rows besides: who
// asks by its terms compares the opened fields.
//
// Errors: *[fieldcrypt.Error] matching [fieldcrypt.ErrUnsearchable] where there is
// no such index, for another number of values, NULL, or a value that the
// transforms leave nothing of; [fieldcrypt.ErrWrongType],
// [fieldcrypt.ErrNotRegistered] for a model that the plugin does not know,
// [fieldcrypt.ErrNoTenant], or an error of keys.
func Terms(db *gorm.DB, model any, index string, values ...any) ([][]byte, error) {
	stmt := &gorm.Statement{DB: db.Session(&gorm.Session{NewDB: true})}
	if err := stmt.Parse(model); err != nil {
		return nil, err
	}
	g := guardOf(stmt.Schema)
	switch {
	case g == nil:
		return nil, unregistered(stmt.Schema.ModelType.String(), "the model embeds no gormcrypt.Encrypted, or this DB has no plugin; embed it and tag what is to be encrypted")
	case g.err != nil:
		return nil, g.err
	}
	ix, err := g.indexOf(index)
	if err != nil {
		return nil, err
	}
	if err := ix.count(values); err != nil {
		return nil, err
	}
	plainValues := append([]any(nil), values...)
	if err := plainTuple(ix, plainValues); err != nil {
		return nil, err
	}
	return g.binding.crypter.Terms(db.Statement.Context, ix.blind, fieldcrypt.Row{}, plainValues...)
}

// indexOf finds an index of the model by its column, or by the column, field or
// selector of what it is over. The error does not say what was given: it may be a
// value in the wrong place.
func (g *guard) indexOf(name string) (*index, error) {
	t := g.tables[0]
	if ix := t.indexes[strings.ToLower(name)]; ix != nil {
		return ix, nil
	}
	c := t.columns[strings.ToLower(name)]
	for _, each := range t.columns {
		if sf := g.schema.FieldsByBindName[each.field.Path]; c == nil && (each.field.Path == name || sf.Name == name && g.schema.FieldsByName[name] == sf) {
			c = each
		}
	}
	if c == nil {
		var names []string
		for _, ix := range (&source{tables: g.tables}).indexes() {
			names = append(names, ix.name)
		}
		return nil, &fieldcrypt.Error{
			Op: "search", Model: g.schema.ModelType.String(), Table: t.name, Err: fmt.Errorf("%w: it has no such index, field or column", fieldcrypt.ErrUnsearchable),
			Hint: "its index columns are " + strings.Join(names, ", "),
		}
	}
	if ix := t.search[c.key()]; ix != nil {
		return ix, nil
	}
	var names []string
	for _, ix := range (&source{tables: g.tables}).indexes() {
		for _, p := range ix.columns {
			if p == c {
				names = append(names, ix.name)
			}
		}
	}
	reason := "it has no blind index of full length for itself alone; add the option index to its tag"
	if len(names) > 0 {
		reason += ", or name the column of another index: " + strings.Join(names, ", ")
	}
	return nil, fieldErr("search", c.field, fieldcrypt.ErrUnsearchable, reason)
}
