package gormcrypt

import (
	"fmt"
	"strings"

	"gorm.io/gorm/clause"
	"gorm.io/gorm/schema"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// find resolves a column of the statement: nil if it is not encrypted.
func (sc *scope) find(qualifier, name string) (*column, error) {
	qualifier, name = strings.ToLower(qualifier), strings.ToLower(name)
	switch {
	case !sc.reg.encrypts(name):
		return nil, nil
	case qualifier == "":
		return sc.unqualified(name)
	case qualifier == clause.CurrentTable:
		return sc.main().find(name)
	}
	_, alias := splitPath(qualifier)
	for _, s := range sc.sources() {
		if s.alias == alias {
			return s.find(name)
		}
	}
	for _, t := range sc.reg.find(qualifier) { // of a query around this one
		if c, err := (&source{tables: []*table{t}}).find(name); c != nil || err != nil {
			return c, err
		}
	}
	if len(sc.reg.find(qualifier)) > 0 || isTable(sc.stmt.Schema, qualifier) {
		return nil, nil
	}
	return nil, unclear(sc.reg.column(name), fmt.Sprintf("%s.%s: no table of the statement is called %s", qualifier, name, qualifier))
}

func (sc *scope) unqualified(name string) (found *column, err error) {
	for _, s := range sc.sources() {
		c, err := s.find(name)
		if err != nil {
			return nil, err
		}
		if c != nil && found != nil && c.field.Identity() != found.field.Identity() {
			return nil, unclear(c, "two tables of the statement encrypt a column "+name)
		}
		if c != nil {
			found = c
		}
	}
	return found, nil
}

// find is column, or an error for a plaintext column that is being adopted.
func (s *source) find(name string) (*column, error) {
	if c := s.column(name); c != nil {
		return c, nil
	}
	if c := s.plainColumn(name); c != nil {
		return nil, onPlain(c)
	}
	return nil, nil
}

func unclear(c *column, what string) error {
	return fieldErr("query", c.field, fieldcrypt.ErrQueryOnCiphertext, what+"; qualify the column with its table")
}

func isTable(s *schema.Schema, name string) bool { return s != nil && strings.EqualFold(s.Table, name) }

// relation finds a relation by its path, "Manager.Company".
func relation(s *schema.Schema, path string) (rel *schema.Relationship) {
	for _, name := range strings.Split(path, ".") {
		if s == nil {
			return nil
		}
		s.Relationships.Mux.RLock()
		rel = s.Relationships.Relations[name]
		s.Relationships.Mux.RUnlock()
		if rel == nil {
			return nil
		}
		s = rel.FieldSchema
	}
	return rel
}
