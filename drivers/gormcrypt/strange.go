package gormcrypt

import (
	"reflect"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// What this package cannot follow in hand-written SQL it refuses, as soon as the
// text names a table that has encrypted columns: it might compare, copy or bring
// back ciphertext.

// tableIn returns a table with encrypted columns that a text names, wherever.
func (r *registry) tableIn(text string) (found *table) {
	anyWord(text, func(w string) bool {
		if _, known := r.words[w]; known {
			for _, t := range r.find(w) {
				found = t
			}
		}
		return found != nil
	})
	return found
}

// understood refuses a text that names an encrypted table and has a part that
// the parser does not follow.
func (sc *scope) understood(p *parsed) error {
	t := sc.reg.tableIn(p.text)
	if t == nil {
		return nil
	}
	what := p.strange
	if p.opaque {
		what = "a comment or an escape"
	}
	if what == "" {
		return nil
	}
	return onCiphertext(anyColumn([]*table{t}), "text that names its table "+t.name+" and has "+what)
}

// rawSubquery refuses a sub-query that was given as text: no builder sees it.
func (sc *scope) rawSubquery(sub *gorm.DB) error {
	if sub.Statement.SQL.Len() == 0 || rawAllowed(sub.Statement) {
		return nil
	}
	if t := sc.reg.tableIn(sub.Statement.SQL.String()); t != nil {
		return onCiphertext(anyColumn([]*table{t}), "a sub-query by Raw that names its table "+t.name+" (build it with Model, Where and Select)")
	}
	return nil
}

// brings returns an encrypted column that the rows of a raw query may hold as
// ciphertext, or an error for a query that is not understood. COUNT(*) brings none.
func (sc *scope) brings(text string, vars int) (*column, error) {
	t := sc.reg.tableIn(text)
	if t == nil {
		return nil, nil
	}
	p := parse(text, vars, nil, false)
	if err := sc.understood(p); err != nil {
		return nil, err
	}
	for i, tok := range p.tokens {
		if tok.is("*") && (i == 0 || p.peek(i-1).is("select", ",", ".", "distinct", "all")) {
			return anyColumn([]*table{t}), nil
		}
	}
	return sc.mention(text, false) // a whole row as a value is an error there
}

// rawAllowed reports whether the statement was made by AllowRaw.
func rawAllowed(stmt *gorm.Statement) bool {
	v, ok := stmt.Settings.Load(allowRawKey)
	return ok && v == true
}

// insertsBlindly returns the encrypted table into which a text inserts without
// naming columns, or nil.
func (r *registry) insertsBlindly(p *parsed) *table {
	for i, t := range p.tokens {
		if !t.is("into") || !p.peek(i+1).ident() {
			continue
		}
		end, path := p.path(i + 1)
		if tables := r.find(path); len(tables) > 0 && !p.peek(end).is("(") {
			return tables[0]
		}
	}
	return nil
}

// strangeTokens names what no text about an encrypted table may have.
func (p *parsed) strangeTokens() string {
	for i, t := range p.tokens {
		switch {
		case t.is("with") && !p.peek(i+1).is("time", "ordinality", "ties"):
			return "a common table expression"
		case t.is("returning"):
			return "RETURNING"
		}
	}
	return ""
}

// combined refuses a condition that goes on with another query behind it.
func (sc *scope) combined(p *parsed) error {
	for i, t := range p.tokens {
		if p.level[i] == 0 && t.is("union", "except", "intersect") {
			if c := sc.reg.tableIn(p.text); c != nil {
				return onCiphertext(anyColumn([]*table{c}), "a condition with "+t.name)
			}
		}
	}
	return nil
}

// bareQuery refuses an expression that is a whole query without parentheses.
func (sc *scope) bareQuery(p *parsed) error {
	if t := sc.reg.tableIn(p.text); t != nil && p.peek(0).is("select", "with", "values", "table") {
		return onCiphertext(anyColumn([]*table{t}), "a query as text that names its table "+t.name+" (build it with Model, Where and Select)")
	}
	return nil
}

// tableValues refuses values of a Table text that bring an encrypted table along
// unseen: only a sub-query that GORM builds is looked into.
func (sc *scope) tableValues(vars []any) error {
	for _, v := range vars {
		var err error
		switch v := v.(type) {
		case *gorm.DB:
			err = sc.rawSubquery(v)
		case clause.Expression:
			text, inner := textOf(v)
			if t := sc.reg.tableIn(text); t != nil {
				err = onCiphertext(anyColumn([]*table{t}), "text in Table that names "+t.name)
			} else if text == "" {
				err = sc.foreign(v)
			}
			err = firstError(err, sc.tableValues(inner))
		default:
			err = eachElement(v, func(e any) error { return sc.tableValues([]any{e}) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var expressionType = reflect.TypeFor[clause.Expression]()

// eachElement visits the elements of a list that GORM takes apart and that may
// hold more than plain values.
func eachElement(list any, visit func(any) error) error {
	rv := reflect.ValueOf(list)
	if k := rv.Kind(); k != reflect.Slice && k != reflect.Array {
		return nil
	}
	elem := rv.Type().Elem()
	switch {
	case elem.Kind() == reflect.Interface, elem.Kind() == reflect.Slice, elem == reflect.TypeFor[*gorm.DB](), elem.Implements(expressionType):
	default:
		return nil
	}
	for i := range rv.Len() {
		if err := visit(rv.Index(i).Interface()); err != nil {
			return err
		}
	}
	return nil
}

// inList looks at the elements of a typed list among values.
func (sc *scope) inList(list any) error {
	return eachElement(list, func(e any) error {
		_, changed, err := sc.value(e)
		if changed && err == nil {
			err = queryErr("a condition on an encrypted column in a list of values; write it into the text")
		}
		return err
	})
}
