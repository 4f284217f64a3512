package fieldcrypt

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// check asks of a manifest what a parser asks of models, so that what is read
// can be relied upon as what was written.
func (m *Manifest) check() error {
	if len(m.Tables) == 0 {
		return errors.New("it names no table")
	}
	perTenant := map[string]bool{}
	tables := map[string]bool{}
	for i := range m.Tables {
		t := &m.Tables[i]
		if tables[t.Name()] {
			return fmt.Errorf("the table %s is in it twice", clipName(t.Name()))
		}
		tables[t.Name()] = true
		if err := t.check(); err != nil {
			return fmt.Errorf("table %s: %w", clipName(t.Name()), err)
		}
		for _, col := range t.Columns {
			if other, ok := perTenant[col.Domain]; ok && other != col.PerTenant {
				return fmt.Errorf("the domain %s has keys per tenant in one column and not in another", col.Domain)
			}
			perTenant[col.Domain] = col.PerTenant
		}
	}
	return nil
}

func (t *ManifestTable) check() error {
	if t.Schema != "" {
		if err := checkIdentifier("schema", t.Schema); err != nil {
			return err
		}
	}
	if err := checkIdentifier("table", t.Table); err != nil {
		return err
	}
	if len(t.Columns) == 0 {
		return errors.New("it has no encrypted column")
	}
	columns := columnSet{}
	claim := func(column, owner string) error {
		if err := checkIdentifier("column", column); err != nil {
			return err
		}
		if other, taken := columns[strings.ToLower(column)]; taken {
			return fmt.Errorf("the column %s is that of %s too", column, other)
		}
		columns.add(column, owner)
		return nil
	}
	if t.Tenant != "" {
		if err := claim(t.Tenant, "the tenant"); err != nil {
			return err
		}
	}
	ids := map[string]bool{}
	for _, col := range t.Columns {
		if err := claim(col.Column, "encrypted column "+col.Column); err != nil {
			return err
		}
		if err := col.check(t); err != nil {
			return fmt.Errorf("column %s: %w", col.Column, err)
		}
		if ids[col.ID] {
			return fmt.Errorf("column %s: the id %s is that of another column too", col.Column, col.ID)
		}
		ids[col.ID] = true
	}
	for _, col := range t.Columns {
		if col.Plain != "" {
			if err := claim(col.Plain, col.Column+" in plaintext"); err != nil {
				return err
			}
		}
	}
	indexIDs := map[string]bool{}
	for _, ix := range t.Indexes {
		if err := claim(ix.Column, "index "+ix.Column); err != nil {
			return err
		}
		if err := ix.check(t); err != nil {
			return fmt.Errorf("index %s: %w", ix.Column, err)
		}
		if indexIDs[ix.ID] {
			return fmt.Errorf("index %s: the id %s is that of another index too", ix.Column, ix.ID)
		}
		indexIDs[ix.ID] = true
	}
	for _, ix := range t.Indexes {
		if other, taken := columns[strings.ToLower(ix.Column+NextSuffix)]; taken {
			return fmt.Errorf("the column %s is that of %s, and that of index %s while it is re-indexed", ix.Column+NextSuffix, other, ix.Column)
		}
	}
	return t.checkPlain()
}

// checkPlain looks at what is stored as it is.
func (t *ManifestTable) checkPlain() error {
	encrypted := func(column string) bool {
		return slices.ContainsFunc(t.Columns, func(c ManifestColumn) bool { return strings.EqualFold(c.Column, column) })
	}
	seen := map[string]bool{}
	for _, column := range t.PrimaryKey {
		if err := checkIdentifier("primary key column", column); err != nil {
			return err
		}
		if seen[strings.ToLower(column)] || encrypted(column) {
			return fmt.Errorf("the primary key column %s is in it twice, or encrypted", column)
		}
		seen[strings.ToLower(column)] = true
	}
	for _, col := range t.Columns {
		if col.Bind != nil && encrypted(col.Bind.Column) {
			return fmt.Errorf("column %s: it is bound to %s, which is encrypted", col.Column, col.Bind.Column)
		}
	}
	return nil
}

func (col *ManifestColumn) check(t *ManifestTable) error {
	if err := checkID(col.ID); err != nil {
		return err
	}
	if err := checkType(col.Type); err != nil {
		return err
	}
	switch {
	case !validDomain(col.Domain):
		return fmt.Errorf("key domain %q does not match [a-z][a-z0-9_-]{0,62}", clipName(col.Domain))
	case col.PerTenant && t.Tenant == "":
		return errors.New("its domain has keys per tenant, and the table has no tenant column")
	case col.Pad != 0 && (col.Pad < MinPad || col.Pad > MaxPad):
		return fmt.Errorf("pad is not from %d to %d", MinPad, MaxPad)
	case col.Fallback && col.Plain == "":
		return errors.New("fallback goes with plain")
	case col.Bind == nil:
		return nil
	}
	if err := checkIdentifier("bound column", col.Bind.Column); err != nil {
		return err
	}
	if err := checkType(col.Bind.Type); err != nil || !bindableType(col.Bind.Type) {
		return fmt.Errorf("a value does not bind to the type %q", clipName(col.Bind.Type))
	}
	return nil
}

func (ix *ManifestIndex) check(t *ManifestTable) error {
	if err := checkID(ix.ID); err != nil {
		return err
	}
	if ix.Bits < 1 || ix.Bits > MaxIndexBits {
		return fmt.Errorf("bits is not from 1 to %d", MaxIndexBits)
	}
	if len(ix.Parts) == 0 {
		return errors.New("it has no parts")
	}
	domain, seen := "", map[string]bool{}
	for _, p := range ix.Parts {
		i := slices.IndexFunc(t.Columns, func(c ManifestColumn) bool { return c.Column == p.Column })
		if i < 0 {
			return fmt.Errorf("its part %s is no encrypted column of the table", clipName(p.Column))
		}
		col := t.Columns[i]
		switch {
		case seen[p.Column]:
			return fmt.Errorf("the column %s is in it twice", p.Column)
		case domain != "" && col.Domain != domain:
			return fmt.Errorf("its columns are of the domains %s and %s; an index has one", domain, col.Domain)
		case !indexableType(col.Type):
			return fmt.Errorf("the column %s of type %s cannot be indexed", p.Column, col.Type)
		case p.Transform != "" && !isTextType(col.Type):
			return fmt.Errorf("the column %s of type %s: transforms work on text", p.Column, col.Type)
		}
		seen[p.Column], domain = true, col.Domain
	}
	return nil
}

// checkIdentifier refuses what no quoting makes safe, or Postgres cuts off.
func checkIdentifier(what, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("a %s has no name", what)
	case len(name) > maxName:
		return fmt.Errorf("the %s name %s is longer than %d bytes", what, clipName(name), maxName)
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune("\"`'[];", r) }):
		return fmt.Errorf("the %s name %q has quotes or characters that do not print", what, name)
	}
	return nil
}

func checkID(id string) error {
	parts, err := parseIdentity(id)
	if err != nil {
		return fmt.Errorf("the id %q is not <table>.<column>", clipName(id))
	}
	if err := checkIdentifier("logical table", parts.table); err != nil {
		return err
	}
	return checkIdentifier("logical column", parts.column)
}
