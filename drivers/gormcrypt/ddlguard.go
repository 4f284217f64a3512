package gormcrypt

import (
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// beforeDDL looks at a statement that changes the schema, of the migrator or
// hand-written: it refuses to turn an encrypted column into one of another type,
// as a plain model of the same table would, or to put an index on ciphertext, and
// makes the type that the statement is about to use.
func (b *binding) beforeDDL(stmt *gorm.Statement, text string) error {
	d := parseDDL(text)
	name := d.table()
	copied, _ := strings.CutSuffix(name, "__temp") // GORM makes a SQLite table anew under this name
	for _, t := range b.registry.Load().find(copied) {
		if err := d.allowed(t, b.dialect, rawAllowed(stmt)); err != nil {
			return err
		}
	}
	if b.dialect == "sqlite" && d.starts("create", "table") && copied != name {
		return b.beforeCopy(stmt, d, copied)
	}
	if b.dialect != "postgres" || !strings.Contains(text, domain) || d.starts("do") {
		return nil
	}
	if err := stmt.DB.Session(&gorm.Session{NewDB: true, Context: stmt.Context}).Exec(createDomain).Error; err != nil || stmt.DryRun {
		return err
	}
	flaw, err := catalogOf(stmt.Context, stmt.DB).domainFlaw()
	if flaw != "" {
		err = &fieldcrypt.Error{Op: "migrate", Err: fmt.Errorf("%w: the type %s %s", fieldcrypt.ErrSchema, domain, flaw), Hint: domainHint}
	}
	return err
}

// beforeCopy looks at how GORM makes a SQLite table anew: it creates a copy under
// another name, fills it, drops the table and renames the copy.
func (b *binding) beforeCopy(stmt *gorm.Statement, d *ddl, name string) error {
	_, name = splitPath(name)
	referrers, err := catalogOf(stmt.Context, stmt.DB).sqliteReferrers(tablePath{name: name})
	if err != nil {
		return err
	}
	if len(referrers) > 0 {
		return &fieldcrypt.Error{Op: "migrate", Table: name, Hint: "set PRAGMA foreign_keys = OFF on the connection while it migrates",
			Err: fmt.Errorf("%w: GORM would drop the table to make it anew, and SQLite with it the rows of %s that refer to it", fieldcrypt.ErrUnsupported, strings.Join(referrers, ", "))}
	}
	if text := d.withoutOrphans(); text != d.text {
		stmt.SQL.Reset()
		stmt.SQL.WriteString(text)
	}
	return nil
}

// withoutOrphans takes out the CHECKs of encrypted columns that are no longer in
// the table: GORM's DropColumn leaves them, and SQLite then refuses the table.
func (d *ddl) withoutOrphans() string {
	text := d.text
	elements := d.elements()
	for i := len(elements) - 1; i > 0; i-- {
		words := d.words(elements[i])
		if len(words) < 6 || words[0] != "constraint" || words[2] != "check" ||
			!slices.Equal(words[2:], checkWords(words[4])) || d.defines(words[4]) {
			continue
		}
		text = text[:d.tokens[elements[i].from-1].at] + text[d.tokens[elements[i].to-1].end:] // with the comma before it
	}
	return text
}

// allowed refuses what must not happen to the encrypted columns of a table.
func (d *ddl) allowed(t *table, dialect string, raw bool) error {
	_, next := d.target()
	switch {
	case d.makesIndex() && !raw:
		for _, e := range d.elements() {
			for _, word := range d.words(e) {
				if c := t.columns[word]; c != nil {
					return onCiphertextIndex(c, "an index on it")
				}
			}
		}
	case d.starts("create") && !d.makesIndex():
		return d.allowedElements(t, dialect, raw, d.elements())
	case d.starts("alter", "table"):
		return d.allowedElements(t, dialect, raw, d.split(next))
	}
	return nil
}

func (d *ddl) allowedElements(t *table, dialect string, raw bool, elements []element) error {
	for _, e := range elements {
		if err := d.allowedElement(t, dialect, raw, e); err != nil {
			return err
		}
	}
	return nil
}

func onCiphertextIndex(c *column, what string) error {
	return fieldErr("migrate", c.field, fieldcrypt.ErrUnsupported, what+" would work on ciphertext, which differs at every write; put it on the index column of the option index")
}

// allowedElement looks at the definition of a column or constraint, or at a change
// of one.
func (d *ddl) allowedElement(t *table, dialect string, raw bool, e element) error {
	words := d.words(e)
	change := len(words) > 0 && words[0] == "alter"
	if d.starts("alter") {
		if !change && (len(words) == 0 || words[0] != "add") {
			return nil // DROP, RENAME and the like
		}
		words = after(after(words[1:], "column"), "if", "not", "exists")
	}
	if len(words) == 0 {
		return nil
	}
	if c := t.columns[words[0]]; c != nil {
		return allowedColumn(c, words[1:], change, dialect, raw)
	}
	if ix := t.indexes[words[0]]; ix != nil {
		if typ, ok := newType(words[1:], change); ok && !slices.Equal(typ, []string{"bytea"}) && !slices.Equal(typ, []string{"blob"}) {
			return fieldErr("migrate", ix.columns[0].field, fieldcrypt.ErrUnsupported, "the column "+ix.name+" is its blind index and does not become "+strings.Join(typ, " ")+"; leave the column out of other models of the table")
		}
		return nil
	}
	key := 0
	for key < len(words) && words[key] != "unique" && !(key > 0 && words[key] == "key" && (words[key-1] == "primary" || words[key-1] == "foreign")) {
		key++
	}
	if raw {
		return nil
	}
	for _, word := range words[key:] {
		if c := t.columns[word]; c != nil {
			return onCiphertextIndex(c, "a key over it")
		}
		if word == ")" {
			break
		}
	}
	return nil
}

// after returns what follows a run of words, if they begin with it and go on.
func after(words []string, run ...string) []string {
	if len(words) > len(run) && slices.Equal(words[:len(run)], run) {
		return words[len(run):]
	}
	return words
}

// newType returns the words of the type that a column gets by what follows its
// name, ok false if that says nothing of types.
func newType(words []string, change bool) (typ []string, ok bool) {
	if change {
		if len(words) > 2 && words[0] == "set" && words[1] == "data" {
			words = words[2:]
		}
		if len(words) == 0 || words[0] != "type" {
			return nil, false
		}
		words = words[1:]
	}
	for len(words) > 2 && words[1] == "." { // the type's schema
		words = words[2:]
	}
	n := 0
	for n < len(words) && !slices.Contains([]string{"not", "null", "default", "constraint", "check", "unique", "primary", "references", "generated", "collate", "using"}, words[n]) {
		n++
	}
	return words[:n], true
}

// allowedColumn looks at what follows the name of an encrypted column.
func allowedColumn(c *column, words []string, change bool, dialect string, raw bool) error {
	if change && len(words) > 1 && words[0] == "set" && words[1] == "default" {
		return madeByDatabase(c)
	}
	typ, ok := newType(words, change)
	switch {
	case !ok:
		return nil
	case dialect == "sqlite" && len(typ) == 0: // without a type SQLite keeps bytes as they are
	case !slices.Equal(typ, []string{map[string]string{"postgres": domain, "sqlite": "blob"}[dialect]}):
		return fieldErr("migrate", c.field, fieldcrypt.ErrUnsupported, "the column is encrypted and does not become "+strings.Join(typ, " ")+"; tag the field in every model of the table, or leave the column out")
	}
	depth := 0
	for _, word := range words {
		switch {
		case word == "(":
			depth++
		case word == ")":
			depth--
		case depth > 0:
		case word == "default" || word == "generated":
			return madeByDatabase(c)
		case !raw && (word == "unique" || word == "primary" || word == "references"):
			return onCiphertextIndex(c, "a key over it")
		}
	}
	return nil
}

func madeByDatabase(c *column) error {
	return fieldErr("migrate", c.field, fieldcrypt.ErrUnsupported, "the database cannot make a value that is encrypted; set it in a BeforeCreate hook")
}
