package gormcrypt

import (
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// named is an index as a condition names it.
type named struct {
	index     *index
	qualifier string  // unquoted; "" for none
	source    *source // nil: of a query around this one, or of a sub-select in text
}

// matched answers a Match that stands anywhere but at the top.
func (sc *scope) matched(m *match) (clause.Expression, bool, error) {
	n, err := sc.indexNamed(m.column)
	if err != nil {
		return nil, false, err
	}
	in, err := sc.matchBy(m, n)
	return in, err == nil, err
}

func (sc *scope) matchBy(m *match, n named) (*oneOf, error) {
	if n.index.truncated() {
		return nil, truncatedHere(n.index, "here it is no condition of a whole SELECT beside others joined by AND")
	}
	if err := n.index.count(m.values); err != nil {
		return nil, err
	}
	in, err := sc.among(n.index.columns[0], n.index, slices.Clone(m.values), false)
	if err != nil {
		return nil, err
	}
	in.table = n.qualifier
	return in, nil
}

// count refuses another number of values than the index has fields, and NULL.
func (ix *index) count(values []any) error {
	if len(values) != len(ix.columns) {
		return indexErr(ix, fmt.Sprintf("the index has %d fields, %d values were given; give one for each of %s, in this order", len(ix.columns), len(values), ix.fields()))
	}
	for _, v := range values {
		if isNull(plainOf(v)) {
			return indexErr(ix, "NULL has no index term; ask with IS NULL")
		}
	}
	return nil
}

// fields names the Go fields of an index.
func (ix *index) fields() string {
	var names []string
	for _, c := range ix.columns {
		names = append(names, c.field.Path)
	}
	return strings.Join(names, ", ")
}

// indexErr refuses a search through an index.
func indexErr(ix *index, reason string) error {
	reason, hint, _ := strings.Cut(reason, "; ")
	return &fieldcrypt.Error{
		Op: "search", Model: ix.columns[0].field.Model.Name, Table: ix.blind.Table, Column: ix.blind.Name,
		Err: fmt.Errorf("%w: %s", fieldcrypt.ErrUnsearchable, reason), Hint: hint,
	}
}

// indexNamed finds the index that a caller names by its column. The error does
// not say what was given: it may be a value in the wrong place.
func (sc *scope) indexNamed(path string) (named, error) {
	qualifier, name := indexPath(path)
	if qualifier == "" {
		return sc.unqualifiedIndex(name)
	}
	_, alias := splitPath(strings.ToLower(qualifier))
	for i := range sc.sources() {
		if s := &sc.resolved[i]; s.alias == alias {
			if ix := s.index(name); ix != nil {
				return named{ix, qualifier, s}, nil
			}
			return named{}, sc.noIndex()
		}
	}
	for _, t := range sc.reg.find(strings.ToLower(qualifier)) { // of a query around this one
		if ix := t.indexes[name]; ix != nil {
			return named{ix, qualifier, nil}, nil
		}
	}
	return named{}, sc.noIndex()
}

// indexPath takes a name apart, without quotes; the column is in lower case.
func indexPath(path string) (qualifier, name string) {
	parts := strings.Split(path, ".")
	for i := range parts {
		parts[i] = unquote(parts[i])
	}
	last := len(parts) - 1
	return strings.Join(parts[:last], "."), strings.ToLower(parts[last])
}

func (sc *scope) unqualifiedIndex(name string) (found named, err error) {
	for i := range sc.sources() {
		s := &sc.resolved[i]
		switch ix := s.index(name); {
		case ix == nil:
		case found.index == nil:
			found = named{ix, "", s}
		case found.index.blind.Table != ix.blind.Table || found.index.blind.Name != ix.blind.Name:
			return named{}, indexErr(ix, "two tables of the statement have an index column of this name; write the table or alias before it")
		}
	}
	if found.index == nil {
		return named{}, sc.noIndex()
	}
	return found, nil
}

// noIndex says which indexes there are.
func (sc *scope) noIndex() error {
	var names []string
	for _, s := range sc.sources() {
		for _, ix := range s.indexes() {
			names = append(names, s.alias+"."+ix.name)
		}
	}
	hint := "name the column of an index: the field's with _bidx, or that of FieldcryptIndexes"
	if len(names) > 0 {
		hint += "; there are " + strings.Join(names, ", ")
	}
	return &fieldcrypt.Error{
		Op: "search", Table: sc.main().path, Hint: hint,
		Err: fmt.Errorf("%w: gormcrypt.Match names no index of the statement's tables", fieldcrypt.ErrUnsearchable),
	}
}
