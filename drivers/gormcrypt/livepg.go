package gormcrypt

import (
	"database/sql"
	"fmt"
	"strings"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// domain is the Postgres type of encrypted columns.
const domain = fieldcrypt.PostgresType

// domainCheck is what the domain asks of values.
var domainCheck = fieldcrypt.PostgresCheck()

// createDomain makes the type unless it is there.
var createDomain = fieldcrypt.CreatePostgresType()

// postgresKinds are the relations that have columns, by pg_class.relkind.
var postgresKinds = map[string]string{"r": "table", "p": "table", "v": "a view", "m": "a materialized view", "f": "a foreign table"}

// postgresColumns returns a table with its columns, and its oid.
func (c *catalog) postgresColumns(path tablePath) (*liveTable, int64, error) {
	t := &liveTable{columns: map[string]*liveColumn{}}
	var oid int64
	err := c.each(func(scan func(...any) error) error {
		var kind string
		err := scan(&oid, &kind)
		t.kind = postgresKinds[kind]
		return err
	}, `SELECT c.oid::bigint, c.relkind::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relname = $1::text AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND
		CASE WHEN $2::text <> '' THEN n.nspname = $2::text WHEN $3::boolean THEN n.nspname = current_schema() ELSE pg_catalog.pg_table_is_visible(c.oid) END`,
		path.name, path.schema, path.current)
	if err != nil || t.kind == "" {
		return t, 0, err
	}
	err = c.each(func(scan func(...any) error) error {
		var name, typname string
		var made sql.NullString
		col := &liveColumn{}
		var d liveDomain
		if err := scan(&name, &col.typ, &typname, &col.notNull, &made, &d.base, &d.notNull, &d.made, &d.checks); err != nil {
			return err
		}
		col.made = made.String
		if col.isValue = typname == domain; col.isValue {
			col.domain = d.flaw()
		}
		t.columns[name] = col
		return nil
	}, `SELECT a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod), t.typname::text, a.attnotnull,
		CASE WHEN a.attgenerated <> '' THEN 'a GENERATED clause' WHEN a.attidentity <> '' THEN 'an IDENTITY clause' WHEN a.atthasdef THEN 'a DEFAULT' END,
		`+domainColumns+` FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
		WHERE a.attrelid = $1::bigint::oid AND a.attnum > 0 AND NOT a.attisdropped`, oid)
	return t, oid, err
}

// postgresTable returns all that is known of a table.
func (c *catalog) postgresTable(path tablePath) (*liveTable, error) {
	t, oid, err := c.postgresColumns(path)
	if err != nil || t.kind != "table" {
		return t, err
	}
	err = c.each(func(scan func(...any) error) error {
		var ix liveIndex
		var columns sql.NullString
		err := scan(&ix.name, &ix.unique, &ix.partial, &ix.valid, &ix.primary, &columns)
		ix.columns = list(columns)
		t.indexes = append(t.indexes, ix)
		return err
	}, `SELECT c.relname::text, i.indisunique, i.indpred IS NOT NULL, i.indisvalid AND i.indisready, i.indisprimary,
		(SELECT string_agg(coalesce(a.attname::text, ''), chr(10) ORDER BY k.place) FROM unnest(i.indkey) WITH ORDINALITY k(number, place)
			LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number WHERE k.place <= i.indnkeyatts)
		FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = $1::bigint::oid ORDER BY 1`, oid)
	if err != nil {
		return nil, err
	}
	names := `(SELECT string_agg(a.attname::text, chr(10)) FROM pg_catalog.pg_attribute a WHERE a.attrelid = $1::bigint::oid AND a.attnum = ANY(%s))`
	err = c.each(func(scan func(...any) error) error {
		var fk liveForeignKey
		var columns sql.NullString
		err := scan(&fk.name, &columns)
		fk.columns = list(columns)
		t.foreign = append(t.foreign, fk)
		return err
	}, `SELECT conname::text, `+fmt.Sprintf(names, "conkey")+` FROM pg_catalog.pg_constraint WHERE contype = 'f' AND conrelid = $1::bigint::oid
		UNION ALL SELECT conname::text, `+fmt.Sprintf(names, "confkey")+` FROM pg_catalog.pg_constraint WHERE contype = 'f' AND confrelid = $1::bigint::oid ORDER BY 1`, oid)
	return t, err
}

// domainColumns are what liveDomain is read from, of pg_type t.
const domainColumns = `t.typbasetype::regtype::text, t.typnotnull, t.typdefault IS NOT NULL,
	(SELECT string_agg(pg_catalog.pg_get_constraintdef(k.oid), chr(10)) FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c')`

// liveDomain is how a domain is defined.
type liveDomain struct {
	base          string // type; "-" if it is no domain
	notNull, made bool
	checks        sql.NullString
}

// flaw says how the definition differs from createDomain's, "" for in nothing.
func (d *liveDomain) flaw() string {
	checks := list(d.checks)
	switch {
	case d.base == "-":
		return "is no domain"
	case d.base != "bytea":
		return "is a domain over " + d.base + ", not bytea"
	case len(checks) == 0:
		return "has no CHECK, so that plaintext can be stored"
	case strings.HasSuffix(checks[0], "NOT VALID"):
		return "has a CHECK that is NOT VALID: what was stored before was not checked"
	case len(checks) > 1 || !isDomainCheck(checks[0]):
		return "has another CHECK than it must have"
	case d.notNull:
		return "is NOT NULL, and NULL is stored as NULL"
	case d.made:
		return "has a DEFAULT"
	}
	return ""
}

// isDomainCheck reports whether a CHECK as Postgres prints it is domainCheck. It
// adds parentheses and casts, and prints substring in one of two forms.
func isDomainCheck(def string) bool {
	bare := func(s string) string {
		s = strings.NewReplacer(" ", "", "\n", "", "(", "", ")", "", `"`, "", "::bytea", "").Replace(strings.ToLower(s))
		return strings.Replace(s, "value,1,2=", "valuefrom1for2=", 1)
	}
	return bare(def) == bare(domainCheck)
}

// domainFlaw says what is wrong with the domain that columns would get now.
func (c *catalog) domainFlaw() (string, error) {
	d := liveDomain{base: "-"}
	err := c.each(func(scan func(...any) error) error { return scan(&d.base, &d.notNull, &d.made, &d.checks) },
		"SELECT "+domainColumns+" FROM pg_catalog.pg_type t WHERE t.oid = to_regtype($1::text)", domain)
	return d.flaw(), err
}
