package gormcrypt

import (
	"database/sql/driver"
	"reflect"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// oneOf is the condition that a column is one of some values: its blind index is
// one of their terms.
type oneOf struct {
	qualifier string // of text: as the caller wrote it, with the dot
	table     string // of a structured condition
	column    *column
	index     *index
	terms     []any // sealed, or nil for a NULL in the list
	negated   bool
	exact     bool   // false, and not NULL, where the index alone is NULL
	tenant    string // in which it holds; "" for columns without
	plain     []any  // for rows whose encrypted column is NULL: what the plaintext column may be; nil for nothing
}

// oneOf makes the condition, with a term under every live key per value.
func (sc *scope) oneOf(c *column, values []any, negated bool) (*oneOf, error) {
	ix := sc.searchIndex(c)
	if ix == nil {
		return nil, sc.unindexed(c)
	}
	return sc.among(c, ix, values, negated)
}

// among is oneOf through a certain index. For one over several fields, values are
// those of one tuple after the other.
func (sc *scope) among(c *column, ix *index, values []any, negated bool) (*oneOf, error) {
	if err := sc.keysReady(ix.columns...); err != nil {
		return nil, err
	}
	in := &oneOf{column: c, index: ix, negated: negated, exact: sc.inverted && ix.blind.Partial()}
	tenant, err := sc.searchTenant(c)
	if err != nil {
		return nil, err
	}
	if err := sc.inTenant(in, tenant); err != nil {
		return nil, err
	}
	if in.plain, err = sc.plainTerms(c, ix, values, tenant); err != nil {
		return nil, err
	}
	width := len(ix.columns)
	for i := 0; i < len(values); i += width {
		tuple := values[i : i+width]
		if width == 1 && isNull(tuple[0]) {
			in.terms = append(in.terms, nil)
			continue
		}
		if err := plainTuple(ix, tuple); err != nil {
			return nil, err
		}
		terms, err := sc.b.crypter.Terms(sc.stmt.Context, ix.blind, fieldcrypt.Row{Tenant: tenant}, tuple...)
		if err != nil {
			return nil, err
		}
		for _, t := range terms {
			in.terms = append(in.terms, sealed(t))
		}
	}
	return in, nil
}

// plainTuple takes GORM's wrappings off the values of a search, in place, and
// refuses values that the database would compute.
func plainTuple(ix *index, tuple []any) error {
	for i, v := range tuple {
		if err := searchable(ix.columns[i], v); err != nil {
			return err
		}
		tuple[i] = plainOf(v)
	}
	return nil
}

func (sc *scope) searchIndex(c *column) *index {
	for _, s := range sc.sources() {
		for _, t := range s.tables {
			if ix := t.search[c.key()]; ix != nil && ix.columns[0].field.Identity() == c.field.Identity() {
				return ix
			}
		}
	}
	for _, t := range sc.reg.tables {
		if ix := t.search[c.key()]; ix != nil && ix.columns[0].field.Identity() == c.field.Identity() {
			return ix
		}
	}
	return nil
}

// searchable refuses values that the database would compute.
func searchable(c *column, v any) error {
	if v = plainOf(v); reflect.TypeOf(v) == c.field.Type {
		return nil
	}
	switch v.(type) {
	case *gorm.DB:
		return onCiphertext(c, "comparison with a sub-query")
	case clause.Expression, clause.Column, clause.Table, gorm.Valuer:
		return onCiphertext(c, "comparison with an SQL expression")
	}
	return nil
}

// elements takes the value of a placeholder behind IN apart.
func elements(c *column, v any) ([]any, error) {
	v = plainOf(v)
	if err := searchable(c, v); err != nil {
		return nil, err
	}
	rv := reflect.ValueOf(v)
	if !isList(v, rv) {
		return []any{v}, nil
	}
	values := make([]any, rv.Len())
	for i := range values {
		values[i] = rv.Index(i).Interface()
	}
	return values, nil
}

// isList tells a list of values from one value that is made of bytes.
func isList(v any, rv reflect.Value) bool {
	if _, ok := v.(driver.Valuer); ok {
		return false
	}
	return (rv.Kind() == reflect.Slice || rv.Kind() == reflect.Array) && rv.Type().Elem().Kind() != reflect.Uint8
}

// Build implements clause.Expression.
func (in *oneOf) Build(b clause.Builder) { in.build(b, in.negated) }

// NegationBuild implements clause.NegationExpressionBuilder.
func (in *oneOf) NegationBuild(b clause.Builder) { in.build(b, !in.negated) }

func (in *oneOf) build(b clause.Builder, negated bool) {
	if in.tenant != "" {
		b.WriteByte('(')
		defer func() {
			b.WriteString(" AND ")
			in.name(b, in.column.tenant.name)
			b.WriteString(" = ")
			b.AddVar(b, in.tenant)
			b.WriteByte(')')
		}()
	}
	if in.plain != nil {
		in.buildPlain(b, negated)
		return
	}
	// Where a transform leaves nothing of a value, the index is NULL and the
	// column is not: such a row differs from every value that is searched for.
	differs := negated && in.index.blind.Partial()
	if differs || in.exact {
		b.WriteByte('(')
		defer b.WriteByte(')')
	}
	in.name(b, in.index.name)
	buildList(b, in.terms, negated)
	if differs {
		in.also(b, " OR (", " IS NULL", " AND ", " IS NOT NULL", ")")
	} else if in.exact {
		in.also(b, " AND (", " IS NOT NULL", " OR ", " IS NULL", ")")
	}
}

// also adds a condition on the index and one on each of its columns.
func (in *oneOf) also(b clause.Builder, begin, ofIndex, word, ofColumn, end string) {
	b.WriteString(begin)
	in.name(b, in.index.name)
	b.WriteString(ofIndex)
	for _, c := range in.index.columns {
		b.WriteString(word)
		in.name(b, c.name)
		b.WriteString(ofColumn)
	}
	b.WriteString(end)
}

func (in *oneOf) name(b clause.Builder, name string) {
	if in.table == "" {
		b.WriteString(in.qualifier)
	}
	b.WriteQuoted(clause.Column{Table: in.table, Name: name})
}

// buildPlain asks the plaintext column where the encrypted one is NULL. It is
// never NULL itself because the index is.
func (in *oneOf) buildPlain(b clause.Builder, negated bool) {
	b.WriteString("((")
	in.name(b, in.index.name)
	b.WriteString(" IS NOT NULL AND ")
	in.name(b, in.index.name)
	buildList(b, in.terms, negated)
	b.WriteString(") OR (")
	in.name(b, in.column.name)
	b.WriteString(" IS NULL AND ")
	in.name(b, in.column.plain)
	buildList(b, in.plain, negated)
	b.WriteString("))")
}

func buildList(b clause.Builder, terms []any, negated bool) {
	if len(terms) == 1 {
		b.WriteString(map[bool]string{false: " = ", true: " <> "}[negated])
		b.AddVar(b, terms[0])
		return
	}
	b.WriteString(map[bool]string{false: " IN (", true: " NOT IN ("}[negated])
	if len(terms) == 0 {
		b.WriteString("NULL")
	}
	for i, term := range terms {
		if i > 0 {
			b.WriteByte(',')
		}
		b.AddVar(b, term)
	}
	b.WriteByte(')')
}
