package pgxcrypt

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// domain is the type of encrypted columns.
const domain = fieldcrypt.PostgresType

// DDL returns the SQL that gives the tables of models their encrypted and index
// columns and the indexes on these: the type fieldcrypt_value, whose CHECK keeps
// plaintext out, ALTER TABLE ... ADD COLUMN, CREATE INDEX. The tables and their
// other columns are made before it. Run twice it changes nothing. It is the schema
// that gormcrypt's AutoMigrate makes, `gorm:"index"`, `gorm:"uniqueIndex"` and
// `gorm:"not null"` included; indexes over several columns too.
//
// Where a column is there with another type the SQL fails: plaintext is never
// converted in place. A bytea becomes a fieldcrypt_value if all of it are values.
//
// The text is several statements, some with semicolons within. Goose wants
// "-- +goose StatementBegin" and StatementEnd around it; tern and psql take it as
// it is.
//
// Errors: those of models; [fieldcrypt.ErrUnsupported] for an index setting that
// it cannot write.
func DDL(fc *fieldcrypt.Crypter, models ...any) (string, error) {
	var order []string
	tables := map[string][]*table{} // several models may speak of one
	for _, model := range models {
		t, err := tableOf(fc, model)
		if err != nil {
			return "", err
		}
		if len(t.model.Fields) == 0 {
			return "", modelErr("ddl", t.model, fieldcrypt.ErrModel, "no field is tagged")
		}
		name := t.sqlName()
		if tables[name] == nil {
			order = append(order, name)
		}
		tables[name] = append(tables[name], t)
	}
	b := &strings.Builder{}
	b.WriteString(fieldcrypt.CreatePostgresType() + ";\n")
	for _, name := range order {
		var columns []columnDDL
		for _, t := range tables[name] {
			columns = append(columns, t.columnsDDL()...)
		}
		writeColumns(b, name, columns)
		for _, t := range tables[name] {
			indexes, err := t.indexesDDL()
			if err != nil {
				return "", err
			}
			for _, ix := range indexes {
				b.WriteString(ix.create(t))
			}
		}
	}
	return b.String(), nil
}

// sqlName is the table's name in SQL, with a schema if TableName has one.
func (t *table) sqlName() string {
	name := t.model.Table
	if named, ok := reflect.New(t.model.Type).Interface().(interface{ TableName() string }); ok {
		name = named.TableName()
	}
	return pgx.Identifier(strings.Split(name, ".")).Sanitize()
}

func quoteName(name string) string { return pgx.Identifier{name}.Sanitize() }

func quoteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// columnDDL is a column that DDL makes.
type columnDDL struct{ name, typ, notNull string }

func (t *table) columnsDDL() (list []columnDDL) {
	for _, c := range slices.Concat(t.columns, t.indexes) {
		switch c.kind {
		case encryptedColumn:
			column := columnDDL{c.name, domain, ""}
			if _, ok := c.gormSetting(t, "not null"); ok {
				column.notNull = " NOT NULL"
			}
			list = append(list, column)
		case indexColumn:
			list = append(list, columnDDL{c.name, "bytea", ""})
		}
	}
	return list
}

// writeColumns writes the columns of a table, and a check of those that were there.
func writeColumns(b *strings.Builder, table string, columns []columnDDL) {
	var types []string
	for _, c := range columns {
		fmt.Fprintf(b, "ALTER TABLE %s ADD COLUMN IF NOT EXISTS %s %s%s;\n", table, quoteName(c.name), c.typ, c.notNull)
		types = append(types, fmt.Sprintf("(%s, %s)", quoteText(c.name), quoteText(c.typ)))
	}
	fmt.Fprintf(b, `DO $fieldcrypt$ DECLARE col text; want text; live text; BEGIN
	FOR col, want IN VALUES %s LOOP
		SELECT t.typname INTO live FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
			WHERE a.attrelid = %s::regclass AND a.attname = col AND NOT a.attisdropped;
		IF live = 'bytea' AND want = '%s' THEN
			EXECUTE format('ALTER TABLE %%s ALTER COLUMN %%I TYPE %s', %s, col);
		ELSIF live <> want THEN
			RAISE EXCEPTION 'fieldcrypt: column %%.%% is of type %%, not %%; plaintext is never converted in place: add a column beside it', %s, col, live, want;
		END IF;
	END LOOP;
END $fieldcrypt$;
`, strings.Join(types, ", "), quoteText(table), domain, domain, quoteText(table), quoteText(table))
}
