package gorm_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
)

// Chart has whatever a schema can get wrong.
type Chart struct {
	gormcrypt.Encrypted
	ID       uint64
	TenantID string  `fieldcrypt:",tenant"`
	Ward     string  `gorm:"uniqueIndex:idx_ward_bed,priority:1"`
	Bed      string  `fieldcrypt:"medical,index" gorm:"uniqueIndex:idx_ward_bed,priority:2"`
	Email    string  `fieldcrypt:"medical,index" gorm:"unique"`
	Nickname *string `fieldcrypt:"medical,index=fold"`
	Notes    string  `fieldcrypt:"medical"`
	Strict   *string `fieldcrypt:"medical" gorm:"not null"`
}

// drift is a change of a schema behind the library's back, and what Check says.
type drift struct {
	name string
	ddl  []string // {bytes} and {value} are the types of index and encrypted columns
	want []string // per difference: "column: a part of the text"
	mend bool     // whether AutoMigrate makes it right
}

var driftsOfAll = []drift{
	{"nothing", nil, nil, true},
	{"what a re-indexing and an adoption add", []string{
		"ALTER TABLE charts ADD email_bidx_next {bytes}", "CREATE UNIQUE INDEX next ON charts (email_bidx_next)", "ALTER TABLE charts ADD notes_plain text NOT NULL DEFAULT ''",
		"CREATE INDEX wards ON charts (ward)", "CREATE TABLE others (id integer)"}, nil, true},
	{"an index of another name", []string{"DROP INDEX idx_charts_nickname_bidx", "CREATE UNIQUE INDEX other ON charts (nickname_bidx)"}, nil, true},
	{"no table", []string{"DROP TABLE charts"}, []string{": there is no table charts; run AutoMigrate"}, true},
	{"a view", []string{"ALTER TABLE charts RENAME TO rows", "CREATE VIEW charts AS SELECT * FROM rows"}, []string{": charts is a view, not a table"}, false},
	{"no index column", []string{"DROP INDEX idx_charts_nickname_bidx", "ALTER TABLE charts DROP COLUMN nickname_bidx"},
		[]string{"nickname_bidx: the index column charts.nickname_bidx is missing", "nickname_bidx: has no index on (nickname_bidx)"}, true},
	{"an index column of another type", []string{"DROP INDEX idx_charts_nickname_bidx", "ALTER TABLE charts DROP COLUMN nickname_bidx", "ALTER TABLE charts ADD nickname_bidx text",
		"CREATE INDEX idx_charts_nickname_bidx ON charts (nickname_bidx)"}, []string{"nickname_bidx: is of type text, not"}, false},
	{"no index", []string{"DROP INDEX idx_ward_bed", "DROP INDEX idx_charts_nickname_bidx"},
		[]string{"nickname_bidx: has no index on (nickname_bidx)", "bed_bidx: has no UNIQUE index on (ward, bed_bidx)"}, true},
	{"an index that is not unique", []string{"DROP INDEX idx_ward_bed", "CREATE INDEX idx_ward_bed ON charts (ward, bed_bidx)"},
		[]string{"bed_bidx: has no UNIQUE index on (ward, bed_bidx), and its idx_ward_bed is another; drop the index idx_ward_bed"}, false},
	{"a unique index of other columns", []string{"DROP INDEX idx_ward_bed", "CREATE UNIQUE INDEX idx_ward_bed ON charts (ward)"},
		[]string{"bed_bidx: has no UNIQUE index on (ward, bed_bidx)"}, false},
	{"a partial unique index", []string{"DROP INDEX idx_ward_bed", "CREATE UNIQUE INDEX idx_ward_bed ON charts (ward, bed_bidx) WHERE ward <> ''"},
		[]string{"bed_bidx: has no UNIQUE index on (ward, bed_bidx)"}, false},
	{"an index of an expression", []string{"DROP INDEX idx_charts_nickname_bidx", "CREATE INDEX idx_charts_nickname_bidx ON charts (length(nickname_bidx))"},
		[]string{"nickname_bidx: has no index on (nickname_bidx)"}, false},
	{"indexes on ciphertext", []string{"CREATE INDEX one ON charts (notes)", "CREATE UNIQUE INDEX two ON charts (ward, notes)"},
		[]string{"notes: the index one is on the ciphertext of charts.notes", "notes: the unique index two is on the ciphertext of charts.notes"}, false},
	{"a foreign key on ciphertext", []string{"CREATE UNIQUE INDEX two ON charts (notes)", "CREATE TABLE others (id integer, n {value} REFERENCES charts (notes))"},
		[]string{"notes: the unique index two", "notes: the foreign key"}, false},
	{"no tenant column", []string{"ALTER TABLE charts DROP COLUMN tenant_id"}, []string{"bed: the tenant column charts.tenant_id is missing; run AutoMigrate"}, true},
	{"a plaintext column", []string{"ALTER TABLE charts RENAME COLUMN notes TO old_notes", "ALTER TABLE charts ADD notes text"},
		[]string{"notes: the column charts.notes is of type text, not {value}; add an encrypted column beside it"}, false},
	{"no column", []string{"ALTER TABLE charts RENAME COLUMN notes TO old_notes"}, []string{"notes: the column charts.notes is missing; run AutoMigrate"}, true},
}

var driftsOfPostgres = []drift{
	{"a column of bytes", []string{"ALTER TABLE charts ALTER notes TYPE bytea"}, []string{"notes: the column charts.notes is of type bytea, not fieldcrypt_value, so that plaintext can be stored; run AutoMigrate"}, true},
	{"NOT NULL", []string{"ALTER TABLE charts ALTER nickname SET NOT NULL, ALTER nickname_bidx SET NOT NULL, ALTER email SET NOT NULL, ALTER email_bidx SET NOT NULL"},
		[]string{"nickname: the column charts.nickname is NOT NULL, and values of type *string can be NULL; run AutoMigrate", "nickname_bidx: the index column charts.nickname_bidx is NOT NULL"}, true},
	{"defaults", []string{`ALTER TABLE charts ALTER notes SET DEFAULT '\xfc01', ALTER bed_bidx SET DEFAULT '\x00'`},
		[]string{"notes: charts.notes has a DEFAULT, which cannot be encrypted", "bed_bidx: charts.bed_bidx has a DEFAULT"}, true},
	{"a generated column", []string{"ALTER TABLE charts DROP notes", "ALTER TABLE charts ADD notes fieldcrypt_value GENERATED ALWAYS AS (email) STORED"},
		[]string{"notes: has a GENERATED clause"}, false},
	{"a domain of another schema", []string{"CREATE SCHEMA z", "CREATE DOMAIN z.fieldcrypt_value AS text", "ALTER TABLE charts DROP notes", "ALTER TABLE charts ADD notes z.fieldcrypt_value"},
		[]string{"notes: is of type z.fieldcrypt_value, which is a domain over text, not bytea"}, false},
	{"a domain like ours of another schema", []string{"CREATE SCHEMA z",
		`CREATE DOMAIN z.fieldcrypt_value AS bytea CHECK ((octet_length(VALUE) >= 36) AND substring(VALUE, 1, 2) = '\xFC01')`,
		"ALTER TABLE charts DROP notes", "ALTER TABLE charts ADD notes z.fieldcrypt_value"}, nil, true},
	{"no CHECK", []string{"ALTER DOMAIN fieldcrypt_value DROP CONSTRAINT fieldcrypt_value_check"}, perColumn("which has no CHECK, so that plaintext can be stored; give it the CHECK"), false},
	{"another CHECK", []string{"ALTER DOMAIN fieldcrypt_value DROP CONSTRAINT fieldcrypt_value_check", "ALTER DOMAIN fieldcrypt_value ADD CHECK (octet_length(VALUE) >= 2)"},
		perColumn("which has another CHECK"), false},
	{"a second CHECK", []string{"ALTER DOMAIN fieldcrypt_value ADD CHECK (octet_length(VALUE) < 100)"}, perColumn("which has another CHECK"), false},
	{"a weaker CHECK", []string{"ALTER DOMAIN fieldcrypt_value DROP CONSTRAINT fieldcrypt_value_check",
		`ALTER DOMAIN fieldcrypt_value ADD CHECK (octet_length(VALUE) >= 36 OR substring(VALUE FROM 1 FOR 2) = '\xfc01')`}, perColumn("which has another CHECK"), false},
	{"a CHECK that is NOT VALID", []string{"ALTER DOMAIN fieldcrypt_value DROP CONSTRAINT fieldcrypt_value_check",
		`ALTER DOMAIN fieldcrypt_value ADD CHECK (octet_length(VALUE) >= 36 AND substring(VALUE FROM 1 FOR 2) = '\xfc01') NOT VALID`}, perColumn("NOT VALID"), false},
	{"a domain that is NOT NULL", []string{"ALTER DOMAIN fieldcrypt_value SET NOT NULL"}, perColumn("which is NOT NULL"), false},
	{"a domain with a default", []string{`ALTER DOMAIN fieldcrypt_value SET DEFAULT '\x00'`}, perColumn("has a DEFAULT"), false},
	{"an index that is not valid", []string{"UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_ward_bed'::regclass"},
		[]string{"bed_bidx: the index idx_ward_bed is not valid"}, false},
	{"a primary key on ciphertext", []string{"ALTER TABLE charts DROP CONSTRAINT charts_pkey", "ALTER TABLE charts ADD PRIMARY KEY (notes)"},
		[]string{"notes: charts.notes is NOT NULL|the primary key is on the ciphertext"}, false},
	{"ciphertext that refers", []string{"CREATE TABLE others (n bytea PRIMARY KEY)", "ALTER TABLE charts ADD FOREIGN KEY (notes) REFERENCES others (n)"},
		[]string{"notes: the foreign key charts_notes_fkey is on the ciphertext"}, false},
	{"a materialized view", []string{"ALTER TABLE charts RENAME TO rows", "CREATE MATERIALIZED VIEW charts AS SELECT * FROM rows"}, []string{": charts is a materialized view"}, false},
	{"a covering index", []string{"CREATE INDEX covering ON charts (ward) INCLUDE (notes)"}, nil, true},
}

var driftsOfSQLite = []drift{
	{"another CHECK", remade("substr(`notes`, 1, 2) = x'fc01'", "1"), []string{"notes: the column charts.notes has another CHECK than it must have; drop the constraint chk_charts_notes and run AutoMigrate"}, false},
	{"a CHECK with more to it", remade("CHECK (`notes` IS NULL OR (", "CHECK (ward = '' OR `notes` IS NULL OR ("), []string{"notes: has another CHECK"}, false},
	{"a CHECK of another name, written otherwise", remade("CONSTRAINT `chk_charts_notes` CHECK (`notes` IS NULL", "/* ) */ CHECK\n( \"Notes\"  is null"), nil, false},
	{"no CHECK", remade("CONSTRAINT `chk_charts_notes` CHECK (`notes` IS NULL OR (typeof(`notes`) = 'blob' AND length(`notes`) >= 36 AND substr(`notes`, 1, 2) = x'fc01'))", "CHECK (1)"),
		[]string{"notes: the column charts.notes has no CHECK, so that plaintext can be stored; run AutoMigrate"}, true},
	{"the CHECK of another column", []string{"ALTER TABLE charts RENAME COLUMN notes TO old_notes", "ALTER TABLE charts ADD notes blob"}, []string{"notes: has another CHECK"}, false},
	{"a type in capitals", remade("`notes` blob", "Notes BLOB"), nil, false},
	{"no type", remade("`notes` blob", "notes"), nil, true},
	{"NOT NULL", remade("`nickname` blob", "nickname blob NOT NULL"), []string{"nickname: the column charts.nickname is NOT NULL"}, true},
	{"a default", remade("`notes` blob", "notes blob DEFAULT x'00'"), []string{"notes: has a DEFAULT"}, true},
	{"a generated column", remade("`notes` blob", "notes blob GENERATED ALWAYS AS (email)"), []string{"notes: has a GENERATED clause"}, false},
	{"a primary key on ciphertext", remade("`strict` blob", "strict blob PRIMARY KEY", "`id` integer PRIMARY KEY AUTOINCREMENT", "id integer"), []string{"strict: the primary key is on the ciphertext of charts.strict"}, false},
}

// perColumn is what is said of every encrypted column of Chart.
func perColumn(text string) (want []string) {
	for _, column := range []string{"bed", "email", "nickname", "notes", "strict"} {
		want = append(want, column+": "+text)
	}
	return want
}

// remade makes SQLite's table anew with other text.
func remade(pairs ...string) []string { return append([]string{"remade"}, pairs...) }

// apply changes a schema.
func (d drift) apply(t testing.TB, db *gorm.DB) {
	t.Helper()
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	ddl := d.ddl
	if len(ddl) > 0 && ddl[0] == "remade" {
		var text string
		if err := pool.QueryRow("SELECT sql FROM sqlite_master WHERE name = 'charts'").Scan(&text); err != nil {
			t.Fatal(err)
		}
		for i := 1; i < len(ddl); i += 2 {
			if !strings.Contains(text, ddl[i]) {
				t.Fatalf("%s does not hold %s", text, ddl[i])
			}
			text = strings.Replace(text, ddl[i], ddl[i+1], 1)
		}
		ddl = []string{"DROP TABLE charts", text, "CREATE UNIQUE INDEX idx_ward_bed ON charts (ward, bed_bidx)", "CREATE INDEX idx_charts_nickname_bidx ON charts (nickname_bidx)"}
	}
	for _, text := range ddl {
		if _, err := pool.Exec(typed(db, text)); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

// typed puts the database's types into text.
func typed(db *gorm.DB, text string) string {
	if db.Dialector.Name() == "sqlite" {
		return strings.NewReplacer("{bytes}", "blob", "{value}", "blob").Replace(text)
	}
	return strings.NewReplacer("{bytes}", "bytea", "{value}", "fieldcrypt_value").Replace(text)
}

// differences takes an error of Check apart.
func differences(t testing.TB, err error) (all []*fieldcrypt.Error) {
	t.Helper()
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("not a joined error: %v", err)
	}
	for _, err := range joined.Unwrap() {
		e := (*fieldcrypt.Error)(nil)
		if !errors.As(err, &e) {
			t.Fatalf("not an *Error: %v", err)
		}
		all = append(all, e)
	}
	return all
}

// sameDifferences compares what Check said with what a drift wants.
func sameDifferences(t testing.TB, db *gorm.DB, err error, want []string) {
	t.Helper()
	got := differences(t, err)
	if len(got) != len(want) {
		t.Errorf("%d differences, want %d: %v", len(got), len(want), err)
		return
	}
	for _, w := range want {
		column, text, _ := strings.Cut(typed(db, w), ": ")
		if !slices.ContainsFunc(got, func(e *fieldcrypt.Error) bool {
			return e.Column == column && slices.ContainsFunc(strings.Split(text, "|"), func(part string) bool { return strings.Contains(e.Error(), part) })
		}) {
			t.Errorf("nothing says %q: %v", w, err)
		}
	}
	for _, e := range got {
		if e.Op != "check" || e.Model != "gorm_test.Chart" || e.Table != "charts" || e.Hint == "" || !errors.Is(e, fieldcrypt.ErrSchema) || (e.Field == "") != (e.Column == "") {
			t.Errorf("the error is %+v", *e)
		}
	}
}

// TestCheckNamesEveryDifference: and after AutoMigrate, where that can help, none.
func TestCheckNamesEveryDifference(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		drifts := driftsOfAll
		if strings.HasSuffix(t.Name(), "SQLite") {
			drifts = append(slices.Clone(drifts), driftsOfSQLite...)
		} else {
			drifts = append(slices.Clone(drifts), driftsOfPostgres...)
		}
		for _, drift := range drifts {
			t.Run(drift.name, func(t *testing.T) {
				db, _ := use(t, d(t), &Chart{})
				drift.apply(t, db)
				err := gormcrypt.Check(ctx, db)
				sameDifferences(t, db, err, drift.want)
				if !drift.mend {
					if err := db.AutoMigrate(&Chart{}); err == nil && drift.name == "the CHECK of another column" {
						t.Error("AutoMigrate left it at that")
					}
					return
				}
				if err := db.AutoMigrate(&Chart{}); err != nil {
					t.Fatal(err)
				}
				if err := gormcrypt.Check(ctx, db, &Chart{}); err != nil {
					t.Errorf("after AutoMigrate: %v", err)
				}
			})
		}
	})
}
