package pgx_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
)

// What a package of fields for sqlc has.

type mrnField struct {
	MRN string `fieldcrypt:"medical,index,id=patients.mrn"`
}

type notesField struct {
	Notes *string `fieldcrypt:"medical,pad=64,id=patients.notes"`
}

type (
	MRN      = fieldcrypt.Secret[string, mrnField]
	MRNIndex = fieldcrypt.SecretIndex[string, mrnField]
	Notes    = fieldcrypt.Secret[*string, notesField]
)

func newMRN(v string) MRN { return fieldcrypt.NewSecret[mrnField](v) }

// inEachModeWith runs a test in each mode with connections that know the codec,
// on a database with the tables of the practice.
func inEachModeWith(t *testing.T, test func(t *testing.T, db *pgxpool.Pool, fc *fieldcrypt.Crypter)) {
	url := pgtest.DB(t)
	inModes(t, url, func(t *testing.T, db *pgxpool.Pool) {
		fc := openPractice(t, db)
		cfg := db.Config().Copy()
		cfg.AfterConnect = pgxcrypt.AfterConnect(fc)
		with, err := pgxpool.NewWithConfig(ctx, cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(with.Close)
		test(t, with, fc)
	})
}

const insertMRN = "INSERT INTO patients (id, mrn, mrn_bidx, notes) VALUES ($1, $2, $3, $4)"

func TestCodec(t *testing.T) {
	inEachModeWith(t, func(t *testing.T, db *pgxpool.Pool, fc *fieldcrypt.Crypter) {
		note := "a note"
		one, null := newMRN("MRN-1"), MRN{}
		exec(t, db, insertMRN, 1, one, one.Index(), fieldcrypt.NewSecret[notesField](&note))
		exec(t, db, insertMRN, 2, &null, null.Index(), (*Notes)(nil))
		three := newMRN("MRN-3")
		if _, err := db.CopyFrom(ctx, pgx.Identifier{"patients"}, []string{"id", "mrn", "mrn_bidx", "notes"},
			pgx.CopyFromRows([][]any{{3, &three, three.Index(), Notes{}}})); err != nil {
			t.Fatal(err)
		}
		// The model reads the same.
		got := collect(t, db, pgxcrypt.RowToStructByNameLax[Patient](ctx, fc), "SELECT id, mrn, notes FROM patients ORDER BY id")
		if got[0].MRN != "MRN-1" || *got[0].Notes != note || got[1].MRN != "" || got[2].MRN != "MRN-3" {
			t.Errorf("the model reads %+v", got)
		}
		terms, err := fc.SecretTerms(ctx, three)
		if err != nil {
			t.Fatal(err)
		}
		var back MRN
		var index MRNIndex
		var notes Notes
		var pointer *MRN
		scan := func(sql string, args ...any) {
			t.Helper()
			if err := db.QueryRow(ctx, sql, args...).Scan(&back, &index, &notes, &pointer); err != nil {
				t.Fatal(err)
			}
		}
		scan("SELECT mrn, mrn_bidx, notes, mrn FROM patients WHERE mrn_bidx = ANY($1)", terms)
		if back.MustReveal() != "MRN-3" || notes.MustReveal() != nil || !notes.IsNull() || pointer.MustReveal() != "MRN-3" {
			t.Errorf("read %q, %v, %q", back.MustReveal(), notes.MustReveal(), pointer.MustReveal())
		}
		scan("SELECT mrn, mrn_bidx, notes, mrn FROM patients WHERE id = 2")
		if !back.IsNull() || pointer != nil {
			t.Error("NULL came back as a value")
		}
		scan("SELECT mrn, mrn_bidx, notes, mrn FROM patients WHERE id = 1")
		if *notes.MustReveal() != note {
			t.Errorf("read %q", *notes.MustReveal())
		}
		var list []MRN
		if err := db.QueryRow(ctx, "SELECT array_agg(mrn::bytea ORDER BY id) FROM patients").Scan(&list); err != nil {
			t.Fatal(err)
		}
		if len(list) != 3 || list[0].MustReveal() != "MRN-1" || !list[1].IsNull() || list[2].MustReveal() != "MRN-3" {
			t.Errorf("a list of %d", len(list))
		}
		if err := db.QueryRow(ctx, "SELECT array_agg(mrn ORDER BY id) FROM patients").Scan(&list); err != nil {
			t.Fatal(err)
		}
		if len(list) != 3 || list[2].MustReveal() != "MRN-3" {
			t.Errorf("a list of the domain, %d", len(list))
		}
		// Bytes that are no Secrets go as ever.
		var raw []byte
		if err := db.QueryRow(ctx, "SELECT $1::bytea", []byte{1, 2}).Scan(&raw); err != nil || len(raw) != 2 {
			t.Errorf("plain bytes: %x, %v", raw, err)
		}
		// A column for another.
		if err := db.QueryRow(ctx, "SELECT notes FROM patients WHERE id = 1").Scan(&back); !errors.Is(err, fieldcrypt.ErrAuthentication) {
			t.Errorf("another column: %v", err)
		}
	})
}

func TestCodecRefused(t *testing.T) {
	inEachModeWith(t, func(t *testing.T, db *pgxpool.Pool, fc *fieldcrypt.Crypter) {
		one := newMRN("MRN-1")
		b := &pgx.Batch{}
		b.Queue(insertMRN, 1, one, MRNIndex{}, nil)
		var unopened MRN
		if err := unopened.Scan([]byte("no value of ours, but long enough to be one, for all that can be told")); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			err  error
			want error
		}{
			"an empty index":                  {second(db.Exec(ctx, insertMRN, 1, one, MRNIndex{}, nil)), fieldcrypt.ErrUnsealed},
			"an empty index in a batch":       {db.SendBatch(ctx, b).Close(), fieldcrypt.ErrUnsealed},
			"an index of what was not opened": {second(db.Exec(ctx, insertMRN, 1, one, unopened.Index(), nil)), fieldcrypt.ErrSealed},
			"a second index":                  {second(db.Exec(ctx, insertMRN, 1, one, fieldcrypt.SecretNextIndex[string, mrnField]{}, nil)), fieldcrypt.ErrUnsupported},
			"what does not fit":               {second(db.Exec(ctx, insertMRN, 1, fieldcrypt.NewSecret[mrnField]("caf\xe9"), nil, nil)), fieldcrypt.ErrWrongType},
		} {
			if !errors.Is(c.err, c.want) {
				t.Errorf("%s: %v, want %v", name, c.err, c.want)
			}
		}
		if _, err := db.Exec(ctx, "INSERT INTO patients (id, mrn) VALUES (1, $1)", unopened); err == nil {
			t.Error("what is no value was stored as one")
		}
		type field struct {
			Clinic string `fieldcrypt:",tenant"`
			MRN    string `fieldcrypt:"medical,id=patients.mrn"`
		}
		perTenant := fieldcrypt.NewSecret[field]("MRN-1")
		if err := second(db.Exec(fieldcrypt.WithTenant(ctx, "bern"), "INSERT INTO patients (id, mrn) VALUES (1, $1)", perTenant)); err != nil {
			t.Errorf("a domain without tenants: %v", err)
		}
	})
}

// TestSecretWithoutCodec: a connection that knows nothing of Secrets stores none
// and opens none.
func TestSecretWithoutCodec(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := openPractice(t, db)
		p := patient(1)
		exec(t, db, insertPatient, pgxcrypt.Args(fc, &p))
		one := newMRN("MRN-2")
		for _, v := range []any{one, &one, one.Index(), MRNIndex{}} {
			for _, column := range []string{"mrn", "mrn_bidx", "ward"} {
				if _, err := db.Exec(ctx, "UPDATE patients SET "+column+" = $1", v); !errors.Is(err, fieldcrypt.ErrUnsealed) {
					t.Errorf("a %T to %s: %v", v, column, err)
				}
			}
			if _, err := db.CopyFrom(ctx, pgx.Identifier{"patients"}, []string{"mrn"}, pgx.CopyFromRows([][]any{{v}})); err == nil {
				t.Errorf("a %T by COPY was stored", v)
			}
			var got string
			if err := db.QueryRow(ctx, "SELECT $1::jsonb::text", v).Scan(&got); err == nil {
				t.Errorf("a %T became the JSON %s", v, got)
			}
		}
		if _, err := db.Exec(ctx, "UPDATE patients SET mrn = $1", []MRN{one}); err == nil {
			t.Error("a list was stored")
		}
		var back MRN
		if err := db.QueryRow(ctx, "SELECT mrn FROM patients").Scan(&back); err == nil {
			if v, err := back.Reveal(); !errors.Is(err, fieldcrypt.ErrSealed) {
				t.Errorf("what nobody opened reveals %q, %v", v, err)
			}
		}
		same(t, "the row", collect(t, db, pgxcrypt.RowToStructByName[Patient](ctx, fc), "SELECT * FROM patients")[0], p)
	})
}

// TestCodecBeforeTheType: connections from before the first migration work too.
func TestCodecBeforeTheType(t *testing.T) {
	fc := newCrypter(t)
	db := pool(t, pgtest.DB(t), func(cfg *pgxpool.Config) { cfg.AfterConnect = pgxcrypt.AfterConnect(fc); cfg.MaxConns = 1 })
	exec(t, db, practice)
	migrate(t, db, fc, &Patient{})
	one := newMRN("MRN-1")
	exec(t, db, insertMRN, 1, one, one.Index(), nil)
	var back MRN
	if err := db.QueryRow(context.Background(), "SELECT mrn FROM patients").Scan(&back); err != nil || back.MustReveal() != "MRN-1" {
		t.Errorf("%v", err)
	}
}
