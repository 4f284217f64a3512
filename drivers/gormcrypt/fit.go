package gormcrypt

import (
	"fmt"
	"reflect"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// opened returns the fields of the destination that are given an index's columns,
// or why the statement cannot be searched by a truncated index.
func (sc *scope) opened(ix *index) ([]*fieldcrypt.Field, error) {
	stmt := sc.stmt
	if why := sc.unfit(); why != "" {
		return nil, truncatedHere(ix, why)
	}
	s := stmt.Schema
	if t := elem(stmt.Dest); t != s.ModelType {
		own := &gorm.Statement{DB: stmt.DB}
		if err := own.Parse(reflect.New(t).Interface()); err != nil {
			return nil, err
		}
		s = own.Schema
	}
	list, ok := sc.selected()
	if !ok {
		return nil, truncatedHere(ix, "SELECT computes, or says * with a join")
	}
	var fields []*fieldcrypt.Field
	for _, c := range ix.columns {
		var field *fieldcrypt.Field
		for _, t := range sc.b.tablesOf(s) {
			own := t.columns[c.key()]
			if own == nil || own.field.Identity() != c.field.Identity() || own.field.Type != c.field.Type {
				continue
			}
			if sf := s.FieldsByDBName[own.name]; sf != nil && sf.Readable {
				field = own.field
			}
		}
		if field == nil {
			return nil, truncatedHere(ix, fmt.Sprintf("%s has no field that %s is read into", s.ModelType, c.field.Identity()))
		}
		if list != nil && !slices.Contains(list, c.key()) {
			return nil, truncatedHere(ix, "SELECT leaves out "+c.name)
		}
		fields = append(fields, field)
	}
	return fields, nil
}

// unfit says why false positives could not be taken out of a statement's result;
// "" if they can.
func (sc *scope) unfit() string {
	stmt := sc.stmt
	rv := stmt.ReflectValue
	limit, isLimit := stmt.Clauses["LIMIT"].Expression.(clause.Limit)
	_, rows := stmt.Settings.Load(rowsKey)
	switch {
	case len(stmt.BuildClauses) == 0 || stmt.BuildClauses[0] != "SELECT":
		return "this is no SELECT"
	case stmt.DryRun:
		return "this is a sub-query, or DryRun or ToSQL"
	case rows:
		return "Scan, Rows and Row hand out what the database gives"
	case stmt.Schema == nil || guardOf(stmt.Schema) == nil || !rv.IsValid() || !rv.CanSet() || !holdsStructs(rv.Type()):
		return "the result is no struct of a marked model, or slice of them"
	case len(sc.from.Tables) > 0 || sc.main().path == "":
		return "the query is not of the model's table itself"
	case stmt.Clauses["GROUP BY"].Expression != nil:
		return "GROUP BY comes before they can be taken out"
	case limit.Offset > 0:
		return "OFFSET would count them; page by the primary key or a time, as FindInBatches does"
	case !isLimit && stmt.Clauses["LIMIT"].Expression != nil:
		return "LIMIT is of another package"
	}
	for name, c := range stmt.Clauses {
		if c.BeforeExpression != nil || c.AfterNameExpression != nil || c.AfterExpression != nil || c.Builder != nil {
			return "something stands beside the clause " + name
		}
	}
	for _, name := range stmt.BuildClauses {
		switch name {
		case "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "FOR":
		default:
			return "the query has a clause " + name
		}
	}
	return ""
}

// holdsStructs: a struct, a slice of structs, or of pointers to them.
func holdsStructs(t reflect.Type) bool {
	if t.Kind() == reflect.Slice {
		if t = t.Elem(); t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
	}
	return t.Kind() == reflect.Struct
}
