package migrate_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	_ "modernc.org/sqlite"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/migrate"
)

type cataloguePatient struct {
	gormcrypt.Encrypted
	ID    uint64
	Name  string  `fieldcrypt:"medical" gorm:"not null"`
	MRN   string  `fieldcrypt:"medical,index" gorm:"uniqueIndex"`
	Notes *string `fieldcrypt:"medical,pad=64"`
	City  string
}

func (cataloguePatient) TableName() string { return "patients" }

// catalogueDB is a database with the table of cataloguePatient, and its manifest.
type catalogueDB struct {
	exec     func(sql string) error
	live     *migrate.Catalogue
	manifest *fieldcrypt.Manifest
	postgres bool
	pool     *pgxpool.Pool // of Postgres
}

func (d *catalogueDB) must(t *testing.T, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if err := d.exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// catalogueOn runs a test on each database.
func catalogueOn(t *testing.T, test func(t *testing.T, d *catalogueDB)) {
	t.Run("Postgres", func(t *testing.T) { test(t, cataloguePostgres(t)) })
	t.Run("SQLite", func(t *testing.T) { test(t, catalogueSQLite(t)) })
}

// cataloguePostgres is a database with AutoMigrate's table.
func cataloguePostgres(t *testing.T) *catalogueDB {
	t.Helper()
	url := pgtest.DB(t)
	pool, err := pgxpool.New(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return &catalogueDB{live: migrate.PostgresCatalogue(pool), postgres: true, pool: pool, manifest: catalogueMigrate(t, postgres.Open(url)),
		exec: func(sql string) error { _, err := pool.Exec(context.Background(), sql); return err }}
}

// rolledBack is the database in a transaction that ends with the test.
func (d *catalogueDB) rolledBack(t *testing.T) *catalogueDB {
	t.Helper()
	tx, err := d.pool.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tx.Rollback(context.Background()) })
	return &catalogueDB{live: migrate.PostgresCatalogue(tx), postgres: true, manifest: d.manifest,
		exec: func(sql string) error { _, err := tx.Exec(context.Background(), sql); return err }}
}

// catalogueSQLite is a database with AutoMigrate's table.
func catalogueSQLite(t *testing.T) *catalogueDB {
	t.Helper()
	dsn := "file:" + filepath.Join(t.TempDir(), "test.db")
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &catalogueDB{live: migrate.SQLiteCatalogue(db), manifest: catalogueMigrate(t, sqlite.New(sqlite.Config{DriverName: "sqlite", DSN: dsn})),
		exec: func(sql string) error { _, err := db.Exec(sql); return err }}
}

func catalogueMigrate(t *testing.T, dialector gorm.Dialector) *fieldcrypt.Manifest {
	t.Helper()
	fc := fieldcrypt.New(keymgrtest.New(t, "medical"), fieldcrypt.Config{})
	db, err := gorm.Open(dialector, &gorm.Config{})
	if err == nil {
		err = db.Use(gormcrypt.New(fc, &cataloguePatient{}))
	}
	if err == nil {
		err = db.AutoMigrate(&cataloguePatient{})
	}
	var manifest []byte
	if err == nil {
		manifest, err = fc.Manifest(&cataloguePatient{})
	}
	var m *fieldcrypt.Manifest
	if err == nil {
		m, err = fieldcrypt.ParseManifest(manifest)
	}
	if err != nil {
		t.Fatal(err)
	}
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	pool.Close()
	return m
}

// check returns the tables, and what was found as "severity kind column".
func (d *catalogueDB) check(t *testing.T, o migrate.CheckOptions) ([]*migrate.Table, []string) {
	t.Helper()
	tables, problems, err := d.live.Check(t.Context(), d.manifest, o)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	refused := false
	for _, p := range problems {
		found = append(found, strings.TrimSpace(fmt.Sprintf("%s %s %s", p.Severity, p.Kind, p.Column)))
		refused = refused || p.Severity == migrate.Refuse
		if p.Way == "" || p.Text == "" || p.Table == "" || !strings.Contains(p.String(), p.Way) {
			t.Errorf("%+v says too little", p)
		}
	}
	if err := problems.Err(); refused != errors.Is(err, migrate.ErrSchema) || !refused && err != nil {
		t.Errorf("Err is %v", err)
	}
	slices.Sort(found)
	return tables, found
}

func catalogueNames(columns []migrate.TableColumn) (names []string) {
	for _, c := range columns {
		names = append(names, c.Name)
	}
	return names
}

// TestCatalogueOfMigratedTables: what drivers make is right, and all of it known.
func TestCatalogueOfMigratedTables(t *testing.T) {
	catalogueOn(t, func(t *testing.T, d *catalogueDB) {
		if d.postgres {
			d.must(t, "ANALYZE patients")
		}
		tables, found := d.check(t, migrate.CheckOptions{Sample: 10})
		if len(found) > 0 || len(tables) != 1 {
			t.Fatalf("%d tables, %v", len(tables), found)
		}
		table := tables[0]
		if got := catalogueNames(table.Key); !slices.Equal(got, []string{"id"}) || table.KeyIndex == "" {
			t.Errorf("the key is %v by %q", got, table.KeyIndex)
		}
		if unique := table.UniqueOver("mrn_bidx"); len(unique) != 1 || !slices.Equal(unique[0].Columns, []string{"mrn_bidx"}) {
			t.Errorf("unique over mrn_bidx: %+v", unique)
		}
		for _, name := range []string{"name", "mrn", "notes"} {
			if c := table.Column(name); c == nil || !c.Checked || c.NotNull != (name == "name") {
				t.Errorf("%s is %+v", name, c)
			}
		}
		if c := table.Column("city"); c == nil || c.Checked || table.Column("nowhere") != nil {
			t.Errorf("city is %+v", c)
		}
		if d.postgres && (table.FillFactor != 100 || table.Rows != 0 || table.Secured || table.Bytes == 0) {
			t.Errorf("%+v", table)
		}
	})
}

func catalogueCheck(column string) string {
	return strings.ReplaceAll("CHECK (? IS NULL OR (typeof(?) = 'blob' AND length(?) >= 36 AND substr(?, 1, 2) = x'fc01'))", "?", column)
}

// catalogueTable makes SQLite's table anew, with other columns.
func catalogueTable(columns string) []string {
	key := "id integer PRIMARY KEY, "
	if strings.Contains(columns, "PRIMARY KEY") {
		key = ""
	}
	return []string{"DROP TABLE patients", "CREATE TABLE patients (" + key + "name blob " + catalogueCheck("name") + ", mrn blob " + catalogueCheck("mrn") +
		", mrn_bidx blob, " + columns + ")", "CREATE UNIQUE INDEX i ON patients (mrn_bidx)"}
}

// TestCatalogueProblems: each change of the schema is found, and nothing else.
func TestCatalogueProblems(t *testing.T) {
	pg := cataloguePostgres(t)
	for _, c := range []struct {
		name             string
		postgres, sqlite []string // statements; nil: not there
		want             []string
	}{
		{"table gone", []string{"ALTER TABLE patients RENAME TO others"}, []string{"ALTER TABLE patients RENAME TO others"},
			[]string{"refuse column-unknown mrn", "refuse column-unknown mrn_bidx", "refuse column-unknown name", "refuse column-unknown notes", "refuse table-missing"}},
		{"a view", []string{"ALTER TABLE patients RENAME TO fieldcrypt_x", "CREATE VIEW patients AS SELECT * FROM fieldcrypt_x"},
			[]string{"ALTER TABLE patients RENAME TO fieldcrypt_x", "CREATE VIEW patients AS SELECT * FROM fieldcrypt_x"}, []string{"refuse table-missing"}},
		{"column gone", []string{"ALTER TABLE patients DROP COLUMN notes"}, catalogueTable("city text"), []string{"refuse column-missing notes"}},
		{"index column gone", []string{"ALTER TABLE patients DROP COLUMN mrn_bidx"}, []string{"DROP INDEX idx_patients_mrn_bidx", "ALTER TABLE patients DROP COLUMN mrn_bidx"}, []string{"refuse column-missing mrn_bidx"}},
		{"bytea without CHECK", []string{"ALTER TABLE patients ALTER notes TYPE bytea"}, nil, []string{"refuse check-missing notes"}},
		{"bytea with the CHECK", []string{"ALTER TABLE patients ALTER notes TYPE bytea", `ALTER TABLE patients ADD CHECK (notes IS NULL OR (octet_length(notes) >= 36 AND substring(notes FROM 1 FOR 2) = '\xfc01'::bytea))`}, nil, nil},
		{"bytea with a weaker CHECK", []string{"ALTER TABLE patients ALTER notes TYPE bytea", `ALTER TABLE patients ADD CHECK (octet_length(notes) >= 36 OR substring(notes FROM 1 FOR 2) = '\xfc01'::bytea)`}, nil, []string{"refuse check-missing notes"}},
		{"bytea with a CHECK that is not valid", []string{"ALTER TABLE patients ALTER notes TYPE bytea", `ALTER TABLE patients ADD CHECK (octet_length(notes) >= 36 AND substring(notes FROM 1 FOR 2) = '\xfc01'::bytea) NOT VALID`}, nil, []string{"refuse check-missing notes"}},
		{"text", []string{"ALTER TABLE patients DROP COLUMN notes", "ALTER TABLE patients ADD notes text"}, catalogueTable("notes text"), []string{"refuse column-type notes"}},
		{"another domain of the name", []string{"ALTER TABLE patients ALTER name TYPE bytea, ALTER mrn TYPE bytea, ALTER notes TYPE bytea", "DROP DOMAIN fieldcrypt_value", "CREATE DOMAIN fieldcrypt_value AS bytea",
			"ALTER TABLE patients ALTER name TYPE fieldcrypt_value, ALTER mrn TYPE fieldcrypt_value, ALTER notes TYPE fieldcrypt_value"}, nil,
			[]string{"refuse check-missing mrn", "refuse check-missing name", "refuse check-missing notes"}},
		{"no CHECK", nil, catalogueTable("notes blob /* " + catalogueCheck("notes") + " */"), []string{"refuse check-missing notes"}},
		{"a weaker CHECK", nil, catalogueTable("notes blob " + strings.Replace(catalogueCheck("notes"), "))", ") OR 1)", 1)), []string{"refuse check-missing notes"}},
		{"a CHECK written otherwise", nil, catalogueTable("[Notes] BLOB " + strings.ToLower(catalogueCheck("\n\t`notes`"))), []string{}},
		{"a key that may be NULL", nil, append(catalogueTable("notes blob "+catalogueCheck("notes")+", k text PRIMARY KEY"), "INSERT INTO patients (k) VALUES (NULL)"), []string{"refuse key-missing"}},
		{"NOT NULL", []string{"ALTER TABLE patients ALTER notes SET NOT NULL"}, nil, []string{"warn column-not-null notes"}},
		{"a default", []string{`ALTER TABLE patients ALTER mrn_bidx SET DEFAULT '\x00'`}, nil, []string{"refuse column-made mrn_bidx"}},
		{"no unique index", []string{"DROP INDEX idx_patients_mrn_bidx"}, []string{"DROP INDEX idx_patients_mrn_bidx"}, []string{"warn index-missing mrn_bidx"}},
		{"an index on ciphertext", []string{"CREATE INDEX x ON patients (name)"}, []string{"CREATE INDEX x ON patients (name)"}, []string{"refuse key-encrypted name"}},
		{"a foreign key on ciphertext", []string{"CREATE UNIQUE INDEX x ON patients (name)", "CREATE TABLE refers (n fieldcrypt_value REFERENCES patients (name))", "ALTER TABLE refers RENAME TO fieldcrypt_refers"}, nil,
			[]string{"refuse key-encrypted", "refuse key-encrypted name"}},
		{"no key", []string{"ALTER TABLE patients DROP CONSTRAINT patients_pkey"}, nil, []string{"refuse key-missing"}},
		{"a unique index for key", []string{"ALTER TABLE patients DROP CONSTRAINT patients_pkey", "ALTER TABLE patients ADD u uuid NOT NULL DEFAULT gen_random_uuid(), ADD v int NOT NULL", "CREATE UNIQUE INDEX y ON patients (v, u)", "CREATE UNIQUE INDEX x ON patients (city) WHERE id > 0"}, nil,
			[]string{"warn key-changed"}},
		{"an unknown table", []string{"CREATE TABLE visits (id int, body fieldcrypt_value)"}, []string{"CREATE TABLE visits (id int, body blob CHECK (body IS NULL OR (typeof(body) = 'blob' AND length(body) >= 36 AND substr(body, 1, 2) = x'fc01')))"}, []string{"refuse column-unknown body"}},
		{"an unknown column", []string{`ALTER TABLE patients ADD card_bidx bytea, ADD extra bytea CHECK (octet_length(extra) >= 36 AND substring(extra FROM 1 FOR 2) = '\xfc01'::bytea), ADD photo bytea`},
			[]string{"ALTER TABLE patients ADD card_bidx blob"}, nil},
		{"a trigger", []string{"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'", "CREATE TRIGGER touch BEFORE UPDATE ON patients FOR EACH ROW EXECUTE FUNCTION f()", "CREATE TRIGGER made AFTER INSERT ON patients FOR EACH ROW EXECUTE FUNCTION f()"},
			[]string{"CREATE TRIGGER touch AFTER UPDATE ON patients BEGIN SELECT 1; END"}, []string{"warn trigger"}},
		{"a generated column", []string{"ALTER TABLE patients DROP COLUMN notes", "ALTER TABLE patients ADD notes fieldcrypt_value GENERATED ALWAYS AS (name) STORED"}, nil, []string{"refuse column-made notes"}},
		{"the second index column", []string{"ALTER TABLE patients ADD mrn_bidx_next bytea"}, []string{"ALTER TABLE patients ADD mrn_bidx_next blob"}, []string{}},
	} {
		test := func(t *testing.T, d *catalogueDB) {
			statements, want := c.sqlite, c.want
			if d.postgres {
				statements = append(slices.Clone(c.postgres), "ANALYZE")
			}
			if c.name == "an unknown column" {
				want = []string{"refuse column-unknown card_bidx"}
				if d.postgres {
					want = append(want, "refuse column-unknown extra")
				}
			}
			d.must(t, statements...)
			if _, found := d.check(t, migrate.CheckOptions{}); !slices.Equal(found, want) && len(found)+len(want) > 0 {
				t.Errorf("found %q, want %q", found, want)
			}
		}
		t.Run(c.name, func(t *testing.T) {
			if c.postgres != nil {
				t.Run("Postgres", func(t *testing.T) { test(t, pg.rolledBack(t)) })
			}
			if c.sqlite != nil {
				t.Run("SQLite", func(t *testing.T) { test(t, catalogueSQLite(t)) })
			}
		})
	}
}

func TestCatalogueSamplesWhatItDoesNotKnow(t *testing.T) {
	d := cataloguePostgres(t)
	d.must(t, "CREATE TABLE photos (id int, image bytea, secret bytea)", "ANALYZE",
		`INSERT INTO photos VALUES (1, '\xffd8', NULL), (2, NULL, '\xfc0101'::bytea || decode(repeat('00', 50), 'hex'))`)
	if _, found := d.check(t, migrate.CheckOptions{}); len(found) > 0 {
		t.Errorf("without a sample: %v", found)
	}
	if _, found := d.check(t, migrate.CheckOptions{Sample: 100}); !slices.Equal(found, []string{"refuse column-unknown secret"}) {
		t.Errorf("with a sample: %v", found)
	}
}

// TestCatalogueOfPartitions: schemas, composite keys, partitions, triggers on them.
func TestCatalogueOfPartitions(t *testing.T) {
	d := cataloguePostgres(t)
	d.must(t, "CREATE SCHEMA clinic", "DROP TABLE patients",
		`CREATE TABLE clinic.patients (id uuid, region text, name fieldcrypt_value, mrn fieldcrypt_value, mrn_bidx bytea, notes fieldcrypt_value, city text, PRIMARY KEY (region, id)) PARTITION BY LIST (region)`,
		"CREATE TABLE clinic.north PARTITION OF clinic.patients FOR VALUES IN ('n') WITH (fillfactor = 80)",
		"CREATE TABLE clinic.south PARTITION OF clinic.patients FOR VALUES IN ('s')",
		"INSERT INTO clinic.patients SELECT gen_random_uuid(), CASE WHEN i % 2 = 0 THEN 'n' ELSE 's' END FROM generate_series(1, 1000) i", "ANALYZE")
	if tables, found := d.check(t, migrate.CheckOptions{}); len(tables) != 0 || !slices.Equal(found, []string{"refuse table-missing"}) {
		t.Errorf("out of the search path: %v, %v", tables, found)
	}
	d.manifest.Tables[0].Schema = "clinic"
	tables, found := d.check(t, migrate.CheckOptions{Sample: 10})
	if !slices.Equal(found, []string{"warn index-missing mrn_bidx", "warn key-changed"}) || len(tables) != 1 {
		t.Fatalf("%v", found)
	}
	table := tables[0]
	if got := catalogueNames(table.Key); !slices.Equal(got, []string{"region", "id"}) || table.Key[1].Type != "uuid" {
		t.Errorf("the key is %v", table.Key)
	}
	if len(table.Partitions) != 2 || table.Partitions[0].Name != "north" || table.Rows != 1000 || table.Pages == 0 || table.Kind != "partitioned table" {
		t.Errorf("%+v", table)
	}
}

func TestCatalogueOfRowSecurity(t *testing.T) {
	d := cataloguePostgres(t)
	d.must(t, "ALTER TABLE patients ENABLE ROW LEVEL SECURITY", "ANALYZE")
	if _, found := d.check(t, migrate.CheckOptions{}); len(found) > 0 {
		t.Errorf("a superuser sees all rows: %v", found)
	}
	tx, err := d.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background())
	role := "c" + strings.ToLower(rand.Text()[:10]) // roles are the server's, and go with the transaction
	for _, s := range []string{"CREATE ROLE " + role, "GRANT SELECT ON patients TO " + role, "SET LOCAL ROLE " + role} {
		if _, err := tx.Exec(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	d.live = migrate.PostgresCatalogue(tx)
	tables, found := d.check(t, migrate.CheckOptions{})
	if !slices.Equal(found, []string{"refuse row-security"}) || !tables[0].Secured {
		t.Errorf("as another role: %v", found)
	}
}
