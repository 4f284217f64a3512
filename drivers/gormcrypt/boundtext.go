package gormcrypt

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// Text that values are bound to, and a tenant's name, must come back as it was
// given, and be found by nothing else: uuid and char(n) change it, citext and
// COLLATE NOCASE find another. The values of such a row would not open.
var keepsText = regexp.MustCompile(`(?i)^(string|text|varchar|character varying)( ?\( ?[0-9]+ ?\))?$`)

func isText(p *fieldcrypt.PlainField) bool {
	t := p.Type
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.String
}

// compareText looks for what changes the text of a companion.
func (c *comparison) compareText(f *fieldcrypt.Field, p *fieldcrypt.PlainField, name string) {
	live := c.live.column(name)
	switch {
	case !isText(p):
	case !keepsText.MatchString(live.typ):
		c.differs(f, f.Name, fmt.Sprintf("the column %s is of type %s, which may change the text that values are bound to", c.full(name), live.typ), "make it text or varchar, and write the values again that do not open")
	case c.live.ddl != nil && c.live.ddl.collates(name):
		c.differs(f, f.Name, fmt.Sprintf("the column %s has a COLLATE, so that other text than values are bound to finds its row", c.full(name)), "take the COLLATE out")
	}
}

// collates reports whether the definition of a column has a COLLATE but BINARY.
func (d *ddl) collates(column string) bool {
	depth, found := 0, false
	start := slices.IndexFunc(d.tokens, func(t ddlToken) bool { return t.text == "(" })
	for i := start + 1; i < len(d.tokens); i++ {
		switch t := d.tokens[i].text; {
		case t == "(":
			depth++
		case t == ")":
			depth--
		case depth == 0 && (i == start+1 || d.tokens[i-1].text == ","):
			found = t == strings.ToLower(column)
		case found && t == "collate" && i+1 < len(d.tokens) && d.tokens[i+1].text != "binary":
			return true
		}
	}
	return false
}
