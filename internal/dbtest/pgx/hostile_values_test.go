package pgx_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

// TestSecretsThatNobodyOpened: what a Secret was scanned from is not stored unless
// it is a value that opens there.
func TestSecretsThatNobodyOpened(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := openTenanted(t, db)
		exec(t, db, "CREATE TABLE old (note bytea, copy bytea)")
		w := pgxcrypt.Wrap(db, fc)
		bern := fieldcrypt.WithTenant(ctx, "bern")
		exec(t, db, "INSERT INTO old (note) VALUES ($1)", []byte(canary))
		var note clinicNote
		if err := db.QueryRow(ctx, "SELECT note FROM old").Scan(&note); err != nil {
			t.Fatal(err)
		}
		store := func(v any, tenant string) error {
			_, err := w.Exec(ctx, "UPDATE old SET copy = $1 WHERE $2::text <> ''", v, fieldcrypt.Tenant(tenant))
			return err
		}
		// Plaintext of a column without the domain.
		for name, err := range map[string]error{
			"Wrap": store(note, "bern"), "without": second(db.Exec(ctx, "UPDATE old SET copy = $1", note)), "Value": second(note.Value()),
		} {
			if !errors.Is(err, fieldcrypt.ErrNotSealed) {
				t.Errorf("%s: %v", name, err)
			}
			noCanary(t, "the error", fmt.Appendf(nil, "%v %+v %#v", err, err, err))
		}
		// A value of another tenant.
		sealed := fieldcrypt.NewSecret[clinicNoteField]("a note")
		if err := fc.SealSecrets(bern, &sealed); err != nil {
			t.Fatal(err)
		}
		stored, err := sealed.Value()
		if err != nil {
			t.Fatal(err)
		}
		if err := note.Scan(stored); err != nil {
			t.Fatal(err)
		}
		if err := store(note, "basel"); err == nil {
			t.Error("a value of another tenant was stored")
		}
		if err := store(note, "bern"); err != nil {
			t.Error(err)
		}
		if got := collect(t, db, pgx.RowTo[[]byte], "SELECT copy FROM old"); string(got[0]) != string(stored.([]byte)) {
			t.Errorf("stored %x, want %x", got[0], stored)
		}
	})
}

type clinicNoteField struct {
	Clinic string `fieldcrypt:",tenant" db:"clinic"`
	Note   string `fieldcrypt:"medical,id=old.copy"`
}

type clinicNote = fieldcrypt.Secret[string, clinicNoteField]

// nested has plaintext that is being adopted, of kinds that are no simple values.
type nested struct {
	ID     int64
	Tags   []string       `fieldcrypt:"medical,plain=tags_plain" db:"tags"`
	Doc    map[string]any `fieldcrypt:"medical,plain=doc_plain" db:"doc"`
	Vitals *noted         `fieldcrypt:"medical,plain=vitals_plain" db:"vitals"`
	Code   *string        `fieldcrypt:"medical,plain=code_plain" db:"code"`
	Raw    []byte         `fieldcrypt:"medical,plain=raw_plain" db:"raw"`
}

type noted struct{ Note string }

// TableName names the table.
func (nested) TableName() string { return "nested" }

// TestAdoptedPlaintextOfAnyKindIsNotLogged: not by a batch, which is traced with
// what is sent.
func TestAdoptedPlaintextOfAnyKindIsNotLogged(t *testing.T) {
	url := pgtest.DB(t)
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			fc := fieldcrypt.New(keymgrtest.New(t, "medical"), fieldcrypt.Config{})
			l := &log{}
			db := pool(t, url, l.trace, func(cfg *pgxpool.Config) { cfg.ConnConfig.DefaultQueryExecMode = mode })
			exec(t, db, `DROP SCHEMA public CASCADE; CREATE SCHEMA public;
				CREATE TABLE nested (id bigint PRIMARY KEY, tags_plain text[], doc_plain jsonb, vitals_plain jsonb, code_plain text, raw_plain bytea)`)
			migrate(t, db, fc, nested{})
			text := canary
			row := nested{Tags: []string{canary}, Doc: map[string]any{"k": canary}, Vitals: &noted{canary}, Code: &text, Raw: []byte(canary)}
			b := &pgx.Batch{}
			insert := `INSERT INTO nested (id, tags, tags_plain, doc, doc_plain, vitals, vitals_plain, code, code_plain, raw, raw_plain)`
			row.ID = 1
			b.Queue(insert+" VALUES (@id, @tags, @tags_plain, @doc, @doc_plain, @vitals, @vitals_plain, @code, @code_plain, @raw, @raw_plain)", pgxcrypt.Args(fc, row))
			b.Queue(`INSERT INTO nested (id, code, code_plain, raw, raw_plain) SELECT * FROM unnest(@id::bigint[], @code::bytea[], @code_plain::text[], @raw::bytea[], @raw_plain::bytea[])`,
				pgxcrypt.Unnest(fc, []nested{{ID: 2, Code: &text, Raw: []byte(canary)}, {ID: 3}}))
			if err := db.SendBatch(ctx, b).Close(); err != nil {
				t.Fatal(err)
			}
			row.ID = 4
			if _, err := pgxcrypt.CopyInto(ctx, db, fc, pgx.Identifier{"nested"}, []nested{row}); err != nil {
				t.Fatal(err)
			}
			noCanary(t, "the log", []byte(l.String()))
			got := collect(t, db, pgx.RowTo[string], `SELECT concat_ws(' ', id, tags_plain[1] = $1::text, doc_plain->>'k' = $1, vitals_plain->>'Note' = $1, code_plain = $1, convert_from(raw_plain, 'UTF8') = $1, num_nulls(code_plain, raw_plain)) FROM nested ORDER BY id`, canary)
			if s, want := strings.Join(got, "|"), "1 t t t t t 0|2 t t 0|3 2|4 t t t t t 0"; s != want {
				t.Errorf("stored %s, want %s", s, want)
			}
		})
	}
}

// Part is embedded by pointer.
type Part struct {
	Street string `db:"street"`
	Number *int   `db:"number"`
	Phone  string `fieldcrypt:"medical" db:"phone"`
}

// TestEmbeddedNil: what is within a nil pointer is NULL, by every way.
func TestEmbeddedNil(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := newCrypter(t)
		exec(t, db, "CREATE TABLE wholes (id bigint, street text, number int)")
		migrate(t, db, fc, wholes{})
		seven := 7
		rows := []wholes{{ID: 1}, {ID: 2, Part: &Part{Street: "s", Number: &seven, Phone: "p"}}}
		exec(t, db, "INSERT INTO wholes (id, street, number, phone) VALUES (@id, @street, @number, @phone)", pgxcrypt.Args(fc, rows[0]))
		exec(t, db, "INSERT INTO wholes (id, street, number, phone) SELECT * FROM unnest(@id::bigint[], @street::text[], @number::int[], @phone::bytea[])", pgxcrypt.Unnest(fc, rows))
		if _, err := pgxcrypt.CopyInto(ctx, db, fc, pgx.Identifier{"wholes"}, rows); err != nil {
			t.Fatal(err)
		}
		got := collect(t, db, pgx.RowTo[int], "SELECT num_nulls(street, number, phone) FROM wholes ORDER BY id")
		if fmt.Sprint(got) != "[3 3 3 0 0]" {
			t.Errorf("NULLs %v", got)
		}
	})
}

type wholes struct {
	ID int64 `db:"id"`
	*Part
}

// TableName names the table.
func (wholes) TableName() string { return "wholes" }

// TestMatchOfPointers: models by pointer, as RowToAddrOf reads them.
func TestMatchOfPointers(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := openPractice(t, db)
		exec(t, db, insertPatient, pgxcrypt.Args(fc, patient(1)))
		m, err := pgxcrypt.Match[*Patient](ctx, fc, "mrn", "MRN-1")
		if err != nil {
			if !errors.Is(err, fieldcrypt.ErrModel) {
				t.Fatal(err)
			}
			return
		}
		found := collect(t, db, pgxcrypt.RowToAddrOfStructByName[Patient](ctx, fc), "SELECT * FROM patients WHERE mrn_bidx = ANY($1)", m.Terms())
		only, err := m.Only(append(found, nil))
		if err != nil || len(only) != 1 {
			t.Errorf("%d rows, %v", len(only), err)
		}
	})
}

// TestNilSecrets: nil pointers are errors, or NULL, and no panics.
func TestNilSecrets(t *testing.T) {
	inEachModeWith(t, func(t *testing.T, codec *pgxpool.Pool, fc *fieldcrypt.Crypter) {
		exec(t, codec, insertPatient, pgxcrypt.Args(fc, patient(1)))
		w := pgxcrypt.Wrap(codec, fc)
		var none *MRN
		var index *MRNIndex
		try := func(name string, f func() error) {
			t.Helper()
			defer func() {
				if r := recover(); r != nil {
					t.Errorf("%s: panic: %v", name, r)
				}
			}()
			if err := f(); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		try("Scan", func() error { return w.QueryRow(ctx, "SELECT mrn FROM patients").Scan(none) })
		try("Scan of the codec", func() error { return codec.QueryRow(ctx, "SELECT mrn FROM patients").Scan(none) })
		try("Scan of an index", func() error { return w.QueryRow(ctx, "SELECT mrn_bidx FROM patients").Scan(index) })
		try("Scan into a list", func() error {
			return w.QueryRow(ctx, "SELECT array_agg(mrn::bytea) FROM patients").Scan((*[]MRN)(nil))
		})
		try("Scan into a pointer", func() error { return w.QueryRow(ctx, "SELECT mrn FROM patients").Scan((**MRN)(nil)) })
		try("SealSecrets", func() error { return fc.SealSecrets(ctx, none) })
		try("OpenSecrets", func() error { return fc.OpenSecrets(ctx, none) })
		try("OpenSecrets of nothing", func() error { return fc.OpenSecrets(ctx, nil) })
		try("SecretTerms", func() error { return second(fc.SecretTerms(ctx, none)) })
		try("SecretTerms of nothing", func() error { return second(fc.SecretTerms(ctx, nil)) })
		// As arguments they are NULL.
		for _, v := range []any{none, index} {
			for name, db := range map[string]execer{"Wrap": w, "codec": codec} {
				if got, err := query(db, pgx.RowTo[[]byte], "SELECT $1::bytea", v); err == nil && got[0] != nil {
					t.Errorf("%s: a nil %T became %x", name, v, got[0])
				}
			}
		}
	})
}

// TestValuesOfAdoptedRows: plaintext that stands beside a sealed value is not
// among them, and what the fallback reads is.
func TestValuesOfAdoptedRows(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		told := &reads{}
		fc := fieldcrypt.New(keymgrtest.New(t, "medical"), fieldcrypt.Config{AllowPlaintextFallback: true, Observer: told})
		exec(t, db, "CREATE TABLE adopted (id bigint PRIMARY KEY, code_plain text, note_plain text)")
		migrate(t, db, fc, adopted{})
		exec(t, db, "INSERT INTO adopted (id, code, code_bidx, code_plain) VALUES (@id, @code, @code_bidx, @code_plain)", pgxcrypt.Args(fc, adopted{ID: 1, Code: "X1"}))
		exec(t, db, "UPDATE adopted SET code_plain = 'planted', note_plain = 'old'")
		read := pgxcrypt.Rows(ctx, fc, func(row pgx.CollectableRow) (adopted, error) {
			values, err := row.Values()
			if err != nil {
				return adopted{}, err
			}
			if values[2] != nil || values[4] != nil {
				t.Errorf("the plaintext columns are %v, %v", values[2], values[4])
			}
			return adopted{values[0].(int64), values[1].(string), values[3].(*string)}, nil
		})
		got := collect(t, db, read, "SELECT id, code, code_plain, note, note_plain FROM adopted")
		if got[0].ID != 1 || got[0].Code != "X1" || *got[0].Note != "old" || told.Load() != 1 {
			t.Errorf("%+v, told %d times", got[0], told.Load())
		}
	})
}
