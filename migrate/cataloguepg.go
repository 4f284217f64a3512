package migrate

import (
	"context"
	"strings"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// relationKinds are the relations that have columns, by pg_class.relkind.
var relationKinds = map[string]string{"r": "table", "p": "partitioned table", "v": "a view", "m": "a materialized view", "f": "a foreign table"}

var notTables = map[string]bool{"a view": true, "a materialized view": true, "a foreign table": true}

func (c *Catalogue) readPostgres(ctx context.Context, mt *fieldcrypt.ManifestTable) (*Table, error) {
	t := &Table{Manifest: mt}
	var oid int64
	err := c.each(ctx, func(scan func(...any) error) error {
		var kind string
		err := scan(&oid, &t.Schema, &t.Name, &kind, &t.Secured, &t.FillFactor)
		t.Kind = relationKinds[kind]
		return err
	}, `SELECT c.oid::bigint, n.nspname::text, c.relname::text, c.relkind::text, row_security_active(c.oid),
			coalesce((SELECT option_value::int FROM pg_catalog.pg_options_to_table(c.reloptions) WHERE option_name = 'fillfactor'), 100)
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relname = $1::text AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
		AND CASE WHEN $2::text <> '' THEN n.nspname = $2::text ELSE pg_catalog.pg_table_is_visible(c.oid) END`, mt.Table, mt.Schema)
	if err != nil || t.Kind == "" || notTables[t.Kind] {
		return t, err
	}
	for _, read := range []func(context.Context, *Table, int64) error{c.pgColumns, c.pgChecks, c.pgIndexes, c.pgKey, c.pgPartitions, c.pgTriggers, c.pgForeign} {
		if err := read(ctx, t, oid); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (c *Catalogue) pgColumns(ctx context.Context, t *Table, oid int64) error {
	return c.each(ctx, func(scan func(...any) error) error {
		var col TableColumn
		var typname string
		var d domainDef
		var made *string
		if err := scan(&col.Name, &col.Type, &typname, &col.NotNull, &made, &d.base, &d.notNull, &d.made, &d.checks); err != nil {
			return err
		}
		if made != nil {
			col.Made = *made
		}
		if typname == fieldcrypt.PostgresType {
			col.flaw = d.flaw()
			col.Checked = col.flaw == ""
		}
		t.Columns = append(t.Columns, col)
		return nil
	}, `SELECT a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod), t.typname::text, a.attnotnull,
			CASE WHEN a.attgenerated <> '' THEN 'a GENERATED clause' WHEN a.attidentity <> '' THEN 'an IDENTITY clause' WHEN a.atthasdef THEN 'a DEFAULT' END,
			CASE t.typtype WHEN 'd' THEN t.typbasetype::regtype::text ELSE '-' END, t.typnotnull, t.typdefault IS NOT NULL,
			ARRAY(SELECT pg_catalog.pg_get_constraintdef(k.oid) FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c')
		FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
		WHERE a.attrelid = $1::bigint::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`, oid)
}

// domainDef is how a domain is defined.
type domainDef struct {
	base          string // type; "-" if it is no domain
	notNull, made bool
	checks        []string
}

// flaw says how the definition differs from fieldcrypt's, "" for in nothing.
func (d *domainDef) flaw() string {
	switch {
	case d.base == "-":
		return "is no domain"
	case d.base != "bytea":
		return "is a domain over " + d.base + ", not bytea"
	case len(d.checks) == 0:
		return "has no CHECK, so that plaintext can be stored"
	case strings.HasSuffix(d.checks[0], "NOT VALID"):
		return "has a CHECK that is NOT VALID: what was stored before was not checked"
	case len(d.checks) > 1 || !isValueCheck(d.checks[0], "value"):
		return "has another CHECK than it must have"
	case d.notNull:
		return "is NOT NULL, and NULL is stored as NULL"
	case d.made:
		return "has a DEFAULT"
	}
	return ""
}

// isValueCheck reports whether a CHECK, as Postgres prints it, asks of a column
// what the domain asks of VALUE. Postgres adds parentheses and casts, and prints
// substring in one of two forms.
func isValueCheck(def, column string) bool {
	bare := func(s string) string {
		s = strings.NewReplacer(" ", "", "\n", "", "(", "", ")", "", `"`, "", "::bytea", "").Replace(strings.ToLower(s))
		return strings.Replace(s, ",1,2=", "from1for2=", 1)
	}
	name := strings.ToLower(column)
	want := strings.ReplaceAll(bare(fieldcrypt.PostgresCheck()), "value", bare(name))
	got := strings.Replace(bare(def), "check"+bare(name)+"isnullor", "check", 1)
	return got == want
}

// pgChecks looks for the CHECKs of bytea columns.
func (c *Catalogue) pgChecks(ctx context.Context, t *Table, oid int64) error {
	return c.each(ctx, func(scan func(...any) error) error {
		var column, def string
		var valid bool
		if err := scan(&column, &def, &valid); err != nil {
			return err
		}
		col := t.Column(column)
		if col == nil || col.Type != "bytea" || !isValueCheck(strings.TrimSuffix(def, " NOT VALID"), column) {
			return nil
		}
		if valid {
			col.Checked, col.flaw = true, ""
		} else if !col.Checked {
			col.flaw = "has a CHECK that is NOT VALID: what was stored before was not checked"
		}
		return nil
	}, `SELECT a.attname::text, coalesce(pg_catalog.pg_get_constraintdef(k.oid), ''), k.convalidated FROM pg_catalog.pg_constraint k
		JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
		WHERE k.conrelid = $1::bigint::oid AND k.contype = 'c' AND cardinality(k.conkey) = 1`, oid)
}

func (c *Catalogue) pgIndexes(ctx context.Context, t *Table, oid int64) error {
	return c.each(ctx, func(scan func(...any) error) error {
		var ix TableIndex
		err := scan(&ix.Name, &ix.Unique, &ix.Partial, &ix.Valid, &ix.Primary, &ix.Columns)
		t.Indexes = append(t.Indexes, ix)
		return err
	}, `SELECT c.relname::text, i.indisunique, i.indpred IS NOT NULL, i.indisvalid AND i.indisready, i.indisprimary,
			ARRAY(SELECT coalesce(a.attname::text, '') FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(number, place)
				LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number WHERE k.place <= i.indnkeyatts ORDER BY k.place)
		FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = $1::bigint::oid ORDER BY 1`, oid)
}

// pgKey finds the primary key, or else the narrowest unique index over columns
// that are NOT NULL, whole and compared as the columns are.
func (c *Catalogue) pgKey(ctx context.Context, t *Table, oid int64) error {
	var names []string
	err := c.each(ctx, func(scan func(...any) error) error { return scan(&t.KeyIndex, &names) },
		`SELECT x.relname::text, ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(number, place)
				JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number WHERE k.place <= i.indnkeyatts ORDER BY k.place)
			FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
			WHERE i.indrelid = $1::bigint::oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
			AND NOT EXISTS (SELECT FROM unnest(i.indkey::int2[], i.indcollation::oid[]) WITH ORDINALITY k(number, coll, place)
				JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
				WHERE k.place <= i.indnkeyatts AND (NOT a.attnotnull OR a.attcollation <> k.coll))
			ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid LIMIT 1`, oid)
	for _, name := range names {
		t.Key = append(t.Key, *t.Column(name))
	}
	return err
}

// pgPartitions finds the tables that hold the rows, and how much they are.
func (c *Catalogue) pgPartitions(ctx context.Context, t *Table, oid int64) error {
	return c.each(ctx, func(scan func(...any) error) error {
		var p Partition
		var bytes int64
		var only bool
		if err := scan(&p.Schema, &p.Name, &p.Rows, &p.Pages, &bytes, &only); err != nil {
			return err
		}
		switch {
		case p.Rows < 0 || t.Rows < 0:
			t.Rows = -1
		default:
			t.Rows += p.Rows
		}
		t.Pages, t.Bytes = t.Pages+p.Pages, t.Bytes+bytes
		if !only {
			t.Partitions = append(t.Partitions, p)
		}
		return nil
	}, `WITH RECURSIVE tree AS (SELECT $1::bigint::oid AS oid UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON i.inhparent = tree.oid)
		SELECT n.nspname::text, c.relname::text, c.reltuples::float8, pg_relation_size(c.oid) / current_setting('block_size')::int8,
			pg_total_relation_size(c.oid), count(*) OVER () = 1 AND c.oid = $1::bigint::oid
		FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'r' ORDER BY 1, 2`, oid)
}

func (c *Catalogue) pgTriggers(ctx context.Context, t *Table, oid int64) error {
	return c.each(ctx, func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		t.Triggers = append(t.Triggers, name)
		return err
	}, `WITH RECURSIVE tree AS (SELECT $1::bigint::oid AS oid UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON i.inhparent = tree.oid)
		SELECT DISTINCT tgname::text FROM pg_catalog.pg_trigger g JOIN tree ON tree.oid = g.tgrelid
		WHERE NOT g.tgisinternal AND g.tgenabled <> 'D' AND g.tgtype & 16 = 16 ORDER BY 1`, oid)
}

// pgForeign finds the foreign keys, to and from the table, over encrypted columns.
func (c *Catalogue) pgForeign(ctx context.Context, t *Table, oid int64) error {
	var columns []string
	for _, m := range t.Manifest.Columns {
		columns = append(columns, m.Column)
	}
	return c.each(ctx, func(scan func(...any) error) error {
		var name string
		err := scan(&name)
		t.Foreign = append(t.Foreign, name)
		return err
	}, `SELECT k.conname::text FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_attribute a ON a.attrelid = $1::bigint::oid AND a.attname = ANY ($2::text[])
		WHERE k.contype = 'f' AND (k.conrelid = a.attrelid AND a.attnum = ANY (k.conkey) OR k.confrelid = a.attrelid AND a.attnum = ANY (k.confkey)) ORDER BY 1`, oid, columns)
}
