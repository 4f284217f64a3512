package gormcrypt

import (
	"database/sql"
	"fmt"
	"maps"
	"reflect"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/fieldcrypt"
)

const resultKey = "fieldcrypt:result"

// result is what is left to do when the rows of a query have been read: fields of
// marked models open themselves, maps and lists of values do not.
type result struct {
	stmt     *gorm.Statement
	selected map[string]*column // encrypted ones, by their names in the result, lower case
	plains   map[string]*column // those whose plaintext may come, by its name in the result
	added    []string           // companions that the caller has not asked for
	star     bool               // all columns of a table come, also plaintext ones

	column *column // of a list of values; nil: a map
	dest   any     // the caller's
	value  reflect.Value
}

// beforeQuery is before for queries, whose destination it can see.
func (b *binding) beforeQuery(db *gorm.DB) {
	unhide(db.Statement)
	b.before(db)
	stmt := db.Statement
	if _, ok := stmt.Settings.Load(rowsKey); ok {
		stmt.Settings.Delete(rowsKey) // left by a Row that this statement was used for before
	}
	sc := b.ofStatement(stmt)
	if db.Error != nil || sc.quiet() && stmt.SQL.Len() == 0 {
		return
	}
	if stmt.SQL.Len() > 0 { // Raw: it may select everything
		sc.addRaw(stmt.SQL.String())
		b.beforeRaw(stmt, sc)
		return
	}
	r := &result{stmt: stmt}
	if isMap(elem(stmt.Dest)) && (sc.encrypted() || len(stmt.Joins) > 0) {
		stmt.Settings.Store(resultKey, r) // the SELECT builder says what comes
		return
	}
	if !sc.encrypted() {
		return
	}
	if c := sc.plucked(); c != nil && isValueOf(elem(stmt.Dest), c) && reflect.TypeOf(stmt.Dest).Kind() == reflect.Pointer {
		r.column, r.dest, r.value = c, stmt.Dest, stmt.ReflectValue
		stmt.Settings.Store(resultKey, r)
		if len(c.companions()) > 0 || c.plain != "" {
			rows := new([]map[string]any)
			stmt.Dest, stmt.ReflectValue = rows, reflect.ValueOf(rows).Elem()
			return
		}
		list := new([]stored)
		stmt.Dest, stmt.ReflectValue = list, reflect.ValueOf(list).Elem()
	}
}

func (b *binding) beforeRaw(stmt *gorm.Statement, sc *scope) {
	if !marked(stmt) && !rawAllowed(stmt) {
		if err := sc.understood(parse(stmt.SQL.String(), len(stmt.Vars), nil, false)); err != nil {
			stop(stmt, err)
			return
		}
		if _, err := sc.mention(stmt.SQL.String(), false); err != nil { // a whole row as a value
			stop(stmt, err)
			return
		}
	}
	s := selection{scope: sc}
	s.addStar("")
	if err := s.remapped(); err != nil {
		stop(stmt, err)
		return
	}
	if isMap(elem(stmt.Dest)) {
		stmt.Settings.Store(resultKey, &result{stmt: stmt, selected: s.result, star: !rawAllowed(stmt)})
	} else if len(s.columns) > 0 {
		if err := firstError(b.checkPlains(stmt, s.columns), b.checkDest(stmt, s.columns)); err != nil {
			stop(stmt, err)
		}
	}
}

// marked reports whether a query fills its own marked model, whose fields open
// themselves.
func marked(stmt *gorm.Statement) bool {
	return stmt.Schema != nil && guardOf(stmt.Schema) != nil && elem(stmt.Dest) == stmt.Schema.ModelType
}

// plucked returns the encrypted column that is all a query selects, or nil.
func (sc *scope) plucked() *column {
	stmt := sc.stmt
	col := clause.Column{}
	s, ok := stmt.Clauses["SELECT"].Expression.(clause.Select)
	switch {
	case ok && len(s.Columns) == 1:
		col = s.Columns[0]
	case stmt.Clauses["SELECT"].Expression == nil && len(stmt.Selects) == 1:
		col = selectedColumn(stmt, stmt.Selects[0])
	default:
		return nil
	}
	c, _, _ := sc.columnOf(col) // what is refused is refused by the builder
	return c
}

// selectedColumn is what GORM makes of a name given to Select.
func selectedColumn(stmt *gorm.Statement, name string) clause.Column {
	if stmt.Schema != nil {
		if sf := stmt.Schema.LookUpField(name); sf != nil {
			return clause.Column{Name: sf.DBName}
		}
	}
	return clause.Column{Name: name, Raw: true}
}

// elem is the type of what a destination holds.
func elem(dest any) reflect.Type {
	t := reflect.TypeOf(dest)
	for t != nil && t != storedType && (t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
		t = t.Elem()
	}
	return t
}

func isMap(t reflect.Type) bool { return t != nil && t.Kind() == reflect.Map }

var (
	scannerType = reflect.TypeFor[sql.Scanner]()
	timeType    = reflect.TypeFor[time.Time]()
)

// isValueOf reports whether a destination takes values of a column, and not rows.
func isValueOf(t reflect.Type, c *column) bool {
	return t.Kind() != reflect.Struct || t == timeType || t == elem(reflect.Zero(c.field.Type).Interface()) || reflect.PointerTo(t).Implements(scannerType)
}

// filled is the type of what a statement's rows are read into.
func filled(stmt *gorm.Statement) reflect.Type {
	if len(stmt.BuildClauses) > 0 && stmt.BuildClauses[0] == "UPDATE" {
		return elem(stmt.Model) // RETURNING fills the model
	}
	return elem(stmt.Dest)
}

// checkDest refuses destinations that would be given ciphertext.
func (b *binding) checkDest(stmt *gorm.Statement, columns []*column) error {
	t := filled(stmt)
	switch {
	case t == nil || t == storedType:
		return nil
	case isMap(t):
		if _, ok := stmt.Settings.Load(resultKey); !ok && stmt.Schema == nil {
			return onCiphertext(columns[0], "RETURNING into a map without a Model")
		}
		return nil
	case t.Kind() != reflect.Struct:
		if _, rows := stmt.Settings.Load(rowsKey); rows {
			return nil
		}
		return onCiphertext(columns[0], fmt.Sprintf("SELECT into a %s", t))
	case stmt.Schema != nil && t == stmt.Schema.ModelType && guardOf(stmt.Schema) != nil:
		return nil
	}
	own := &gorm.Statement{DB: stmt.DB}
	if own.Parse(reflect.New(t).Interface()) != nil {
		return nil // GORM says so itself
	}
	tables := b.tablesOf(own.Schema)
	for _, c := range columns {
		sf := own.Schema.LookUpField(c.name)
		if sf == nil || !sf.Readable {
			continue
		}
		if !isEncrypted(sf) {
			return unregistered(t.String(), fmt.Sprintf(
				"its field %s would be given the ciphertext of %s; embed gormcrypt.Encrypted in it and tag the field %s:\"%s,id=%s\"",
				sf.Name, c.field.Identity(), fieldcrypt.TagName, c.field.Domain, c.field.Identity()))
		}
		if theirs := tables[0].columns[c.key()]; theirs != nil && theirs.field.Identity() != c.field.Identity() {
			return modelErr(t.String(), theirs.field.Path, fmt.Sprintf("its identity is %s, and it is read from %s; tag it %s:\"%s,id=%s\"",
				theirs.field.Identity(), c.field.Identity(), fieldcrypt.TagName, c.field.Domain, c.field.Identity()))
		}
	}
	return nil
}

// after opens what a statement has read into maps and lists of values.
func (b *binding) after(db *gorm.DB) {
	stmt := db.Statement
	v, ok := stmt.Settings.Load(resultKey)
	if !ok {
		if isMap(elem(stmt.Dest)) && guardOf(stmt.Schema) != nil { // RETURNING
			returned := map[string]*column{}
			for _, t := range b.ofStatement(stmt).main().tables {
				maps.Copy(returned, t.columns)
			}
			r := &result{stmt: stmt, selected: returned, star: true}
			r.openMaps(b, db, func(v any) bool { _, ok := v.(stored); return ok })
		}
		return
	}
	r := v.(*result)
	if r.stmt != stmt {
		return // of the statement that this one was made from
	}
	stmt.Settings.Delete(resultKey)
	if r.column == nil {
		r.openMaps(b, db, func(any) bool { return true })
		return
	}
	read := stmt.Dest
	if _, rows := read.(*[]map[string]any); rows {
		r.openMaps(b, db, func(any) bool { return true })
	}
	stmt.Dest, stmt.ReflectValue = r.dest, r.value
	if db.Error == nil {
		db.AddError(b.fill(db, r, read))
	}
}
