package migrate

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/fieldcrypt/go/fieldcrypt"
)

const strayWay = "its values would stay on the old key and be lost with it: give its model to the manifest, or drop the column"

// indexSuffix ends the column of a tag's index; driver and manifest have its name.
const indexSuffix = "_bidx"

// stray is a column that may be encrypted.
type stray struct {
	schema, table, column, typname string
	typ                            string
	checks                         []string
}

// postgresStrays looks for columns that look encrypted and are not in the manifest.
func (c *Catalogue) postgresStrays(ctx context.Context, m *fieldcrypt.Manifest, tables []*Table, o CheckOptions) (found Problems, err error) {
	known := map[string]bool{} // schema NUL table NUL column
	know := func(schema, table string, t *fieldcrypt.ManifestTable) {
		key := schema + "\x00" + table + "\x00"
		for _, col := range t.Columns {
			known[key+col.Column] = true
		}
		for _, ix := range t.Indexes {
			known[key+ix.Column], known[key+ix.Column+fieldcrypt.NextSuffix] = true, true
		}
		if t.Tenant != "" {
			known[key+t.Tenant] = true
		}
		for _, col := range t.Columns {
			if col.Bind != nil {
				known[key+col.Bind.Column] = true
			}
			if col.Plain != "" {
				known[key+col.Plain] = true
			}
		}
	}
	schemas := []string{}
	for _, t := range tables {
		schemas = append(schemas, t.Schema)
		know(t.Schema, t.Name, t.Manifest)
		for _, p := range t.Partitions {
			know(p.Schema, p.Name, t.Manifest)
		}
	}
	var strays []stray
	err = c.each(ctx, func(scan func(...any) error) error {
		var s stray
		err := scan(&s.schema, &s.table, &s.column, &s.typname, &s.typ, &s.checks)
		strays = append(strays, s)
		return err
	}, `SELECT n.nspname::text, c.relname::text, a.attname::text, t.typname::text, pg_catalog.format_type(a.atttypid, a.atttypmod),
			array_remove(ARRAY(SELECT pg_catalog.pg_get_constraintdef(k.oid) FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.conkey = ARRAY[a.attnum]), NULL)
		FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
			JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
		WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND (t.typname = $1::text OR t.typname = 'bytea')
			AND (n.nspname = ANY (current_schemas(false)) OR n.nspname = ANY ($2::text[])) AND c.relname NOT LIKE 'fieldcrypt\_%'
		ORDER BY 1, 2, a.attnum`, fieldcrypt.PostgresType, schemas)
	if err != nil {
		return nil, err
	}
	for _, s := range strays {
		if known[s.schema+"\x00"+s.table+"\x00"+s.column] {
			continue
		}
		text := s.looks()
		if text == "" && o.Sample > 0 && s.typ == "bytea" {
			if text, err = c.sample(ctx, s, o.Sample); err != nil {
				return nil, err
			}
		}
		if text != "" {
			found = append(found, Problem{Refuse, ColumnUnknown, s.schema + "." + s.table, s.column, text + ", and is not in the manifest", strayWay})
		}
	}
	return found, nil
}

// looks says why a column looks encrypted, "" if it does not.
func (s *stray) looks() string {
	if s.typname == fieldcrypt.PostgresType {
		return "is of type " + s.typ
	}
	if strings.HasSuffix(s.column, indexSuffix) || strings.HasSuffix(s.column, indexSuffix+fieldcrypt.NextSuffix) {
		return "has the name of a blind index"
	}
	for _, def := range s.checks {
		if isValueCheck(strings.TrimSuffix(def, " NOT VALID"), s.column) {
			return "has the CHECK of an encrypted column"
		}
	}
	return ""
}

// sample looks at some values of a column.
func (c *Catalogue) sample(ctx context.Context, s stray, n int) (text string, err error) {
	column := pgx.Identifier{s.column}.Sanitize()
	sealed := false
	err = c.each(ctx, func(scan func(...any) error) error { return scan(&sealed) },
		fmt.Sprintf(`SELECT EXISTS (SELECT FROM (SELECT %s AS v FROM %s WHERE %s IS NOT NULL LIMIT %d) s
			WHERE octet_length(v) >= %d AND substring(v FROM 1 FOR 3) = '\xfc0101'::bytea)`,
			column, pgx.Identifier{s.schema, s.table}.Sanitize(), column, n, fieldcrypt.MinSize))
	if sealed {
		text = "holds what looks like sealed values"
	}
	return text, err
}
