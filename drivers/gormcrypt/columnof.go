package gormcrypt

import (
	"fmt"
	"strings"

	"gorm.io/gorm/clause"
)

// columnOf resolves what a structured condition calls a column.
func (sc *scope) columnOf(col any) (*column, clause.Column, error) {
	switch col := col.(type) {
	case clause.Column:
		if col.Raw {
			return sc.rawColumn(col.Name)
		}
		return sc.columnNamed(col)
	case []clause.Column:
		for _, each := range col {
			if c, _, err := sc.columnOf(each); c != nil || err != nil {
				return nil, clause.Column{}, firstError(err, onColumn(c, "comparison of several columns at once"))
			}
		}
		return nil, clause.Column{}, nil
	case []string:
		for _, name := range col {
			if c, _, err := sc.columnOf(name); c != nil || err != nil {
				return nil, clause.Column{}, firstError(err, onColumn(c, "comparison of several columns at once"))
			}
		}
		return nil, clause.Column{}, nil
	case clause.Table:
		if col.Raw {
			return sc.rawColumn(col.Name)
		}
		return sc.columnNamed(clause.Column{Name: col.Name})
	case clause.Expr:
		return sc.rawColumn(col.SQL)
	}
	return sc.columnNamed(clause.Column{Name: fmt.Sprint(col)})
}

func (sc *scope) columnNamed(col clause.Column) (*column, clause.Column, error) {
	if qualifier, name := splitPath(col.Name); col.Table == "" && qualifier != "" {
		col.Table, col.Name = qualifier, name
	}
	if !sc.reg.encrypts(strings.ToLower(unquote(col.Name))) {
		return nil, col, nil
	}
	qualifier := col.Table
	if qualifier != clause.CurrentTable {
		parts := strings.Split(qualifier, ".")
		for i := range parts {
			parts[i] = unquote(parts[i])
		}
		qualifier = strings.Join(parts, ".")
		col.Table = qualifier
	}
	c, err := sc.find(qualifier, unquote(col.Name))
	return c, col, err
}

// rawColumn resolves text that stands for a column.
func (sc *scope) rawColumn(text string) (*column, clause.Column, error) {
	if !sc.concerned(text) {
		return nil, clause.Column{}, nil
	}
	r := rewriter{scope: sc, parsed: parse(text, 0, nil, false)}
	if len(r.tokens) > 0 && r.tokens[0].ident() {
		if end, _ := r.path(0); end == len(r.tokens) {
			return sc.columnNamed(clause.Column{Name: strings.TrimSpace(text)})
		}
	}
	_, _, err := sc.textCondition(clause.Expr{SQL: text})
	return nil, clause.Column{}, err
}

// unquote takes the quotes off a name that a caller has quoted.
func unquote(name string) string { return strings.Trim(name, "`\"[] ") }
