package pgx_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
)

// schemaOf describes encrypted and index columns and the indexes on these.
func schemaOf(t testing.TB, db *pgxpool.Pool) string {
	t.Helper()
	lines := collect(t, db, pgx.RowTo[string], `
		SELECT format('%s.%s %s notnull=%s', c.relname, a.attname, t.typname, a.attnotnull) FROM pg_attribute a
			JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid
			WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
				AND (t.typname = 'fieldcrypt_value' OR a.attname LIKE '%bidx%')
		UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexdef LIKE '%bidx%'
		UNION ALL SELECT format('%s %s %s', t.typname, t.typbasetype::regtype, pg_get_constraintdef(k.oid)) FROM pg_type t JOIN pg_constraint k ON k.contypid = t.oid
		ORDER BY 1`)
	return strings.Join(lines, "\n")
}

// Chart has every kind of index.
type Chart struct {
	gormcrypt.Encrypted
	ID     int64
	Ward   string `gorm:"uniqueIndex:idx_ward_code,priority:1"`
	Code   string `fieldcrypt:"medical,index" gorm:"uniqueIndex:idx_ward_code,priority:2;index:idx_code_live,where:deleted IS FALSE"`
	Serial string `fieldcrypt:"medical,index" gorm:"not null;uniqueIndex"`
	Both   string `fieldcrypt:"medical,index" gorm:"index;uniqueIndex:idx_both"`
	Plain  string `fieldcrypt:"medical"`
	Usual  string `fieldcrypt:"medical,index=lower"`
	Del    bool   `gorm:"column:deleted;index"`
}

// FieldcryptIndexes declares one over two fields.
func (Chart) FieldcryptIndexes() []fieldcrypt.Index {
	return []fieldcrypt.Index{{Column: "code_serial_bidx", Parts: []fieldcrypt.Part{{Field: "Code"}, {Field: "Serial"}}}}
}

// TestDDLIsWhatGORMMakes: column by column, index by index.
func TestDDLIsWhatGORMMakes(t *testing.T) {
	fc := newCrypter(t)
	url := pgtest.DB(t)
	g, err := gorm.Open(postgres.Open(url), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	sqlDB, err := g.DB()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sqlDB.Close() })
	if err := errors.Join(g.Use(gormcrypt.New(fc, &Chart{})), g.AutoMigrate(&Chart{})); err != nil {
		t.Fatal(err)
	}
	want := schemaOf(t, pool(t, url))

	db := pool(t, pgtest.DB(t))
	exec(t, db, "CREATE TABLE charts (id bigserial PRIMARY KEY, ward text, deleted boolean)")
	migrate(t, db, fc, &Chart{})
	if got := schemaOf(t, db); got != want || strings.Count(want, "\n") < 12 {
		t.Errorf("DDL makes\n%s\nwant\n%s", got, want)
	}
	// GORM finds nothing to do, and neither does DDL.
	before := schemaOf(t, db)
	migrate(t, db, fc, &Chart{})
	if got := schemaOf(t, db); got != before {
		t.Errorf("DDL run twice makes\n%s\nwant\n%s", got, before)
	}
}

func TestDDLOfColumnsThatAreThere(t *testing.T) {
	fc := newCrypter(t)
	ddl, err := pgxcrypt.DDL(fc, &Visit{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, table, want string }{
		{"plaintext", "CREATE TABLE visits (id bigint, patient_id bigint, reason text)", "plaintext is never converted in place"},
		{"an index column of another type", "CREATE TABLE visits (id bigint, patient_id bigint, reason_bidx text)", "reason_bidx is of type text"},
		{"bytes that are values", "CREATE TABLE visits (id bigint, patient_id bigint, reason bytea); INSERT INTO visits (reason) VALUES (decode('fc01' || repeat('00', 60), 'hex'))", ""},
		{"bytes that are none", "CREATE TABLE visits (id bigint, patient_id bigint, reason bytea); INSERT INTO visits (reason) VALUES ('plaintext')", "violates check constraint"},
		{"no table", "SELECT 1", "does not exist"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := pool(t, pgtest.DB(t))
			exec(t, db, c.table)
			_, err := db.Exec(ctx, ddl)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestDDLRefused(t *testing.T) {
	fc := newCrypter(t)
	for name, c := range map[string]struct {
		model any
		want  error
	}{
		"no tags": {struct{ ID int64 }{}, fieldcrypt.ErrModel},
		"an index on ciphertext": {struct {
			ID   int64
			Note string `fieldcrypt:"medical,id=t.note" gorm:"index"`
		}{}, fieldcrypt.ErrModel},
		"no struct": {7, fieldcrypt.ErrModel},
	} {
		if ddl, err := pgxcrypt.DDL(fc, c.model); !errors.Is(err, c.want) || ddl != "" {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	type strange struct {
		ID   int64
		Code string `fieldcrypt:"medical,index" gorm:"index:,class:FULLTEXT"`
	}
	if _, err := pgxcrypt.DDL(fc, strange{}); !errors.Is(err, fieldcrypt.ErrUnsupported) {
		t.Errorf("an index setting that it does not know: %v", err)
	}
}

// named has a schema, and names that need quotes.
type named struct {
	ID   int64
	Code string `fieldcrypt:"medical,index,id=codes.code" db:"Code \"x'"`
}

// TableName names the table.
func (named) TableName() string { return "clinic.Codes" }

func TestDDLQuotes(t *testing.T) {
	db := pool(t, pgtest.DB(t))
	exec(t, db, `CREATE SCHEMA clinic; CREATE TABLE clinic."Codes" (id bigint)`)
	for range 2 {
		migrate(t, db, newCrypter(t), named{})
	}
	exec(t, db, `SELECT "Code ""x'", "Code ""x'_bidx" FROM clinic."Codes"`)
}
