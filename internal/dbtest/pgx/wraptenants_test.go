package pgx_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

// clinicMRN is mrn of the table tenanted, unbound.
type clinicMRN struct {
	Clinic string `fieldcrypt:",tenant" db:"clinic"`
	MRN    string `fieldcrypt:"medical,index,id=tenanted.mrn"`
}

type (
	tenantMRN      = fieldcrypt.Secret[string, clinicMRN]
	tenantMRNIndex = fieldcrypt.SecretIndex[string, clinicMRN]
)

func newTenantMRN(v string) tenantMRN { return fieldcrypt.NewSecret[clinicMRN](v) }

func TestWrapTenants(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := openTenanted(t, db)
		w := pgxcrypt.Wrap(db, fc)
		bern, basel := fieldcrypt.WithTenant(ctx, "bern"), fieldcrypt.WithTenant(ctx, "basel")
		insert := "INSERT INTO tenanted (id, clinic, mrn, mrn_bidx) VALUES ($1, $2, $3, $4)"
		write := func(c context.Context, id int, tenant any, mrn string) error {
			_, err := w.Exec(c, insert, rowID(id), tenant, newTenantMRN(mrn), tenantMRNIndex{})
			return err
		}
		named := fieldcrypt.Tenant("basel")
		if err := errors.Join(write(bern, 1, fieldcrypt.Tenant(""), "MRN-1"), write(ctx, 2, named, "MRN-2"), write(basel, 3, &named, "MRN-3")); err != nil {
			t.Fatal(err)
		}
		lists := "INSERT INTO tenanted (id, clinic, mrn, mrn_bidx) SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[], $4::bytea[])"
		if _, err := w.Exec(ctx, lists, []string{rowID(4), rowID(5)}, []fieldcrypt.Tenant{"bern", "basel"}, []tenantMRN{newTenantMRN("MRN-4"), newTenantMRN("MRN-5")}, []tenantMRNIndex{{}, {}}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Exec(bern, "INSERT INTO tenanted (clinic, id, mrn, mrn_bidx) SELECT $1, x.* FROM unnest($2::uuid[], $3::bytea[], $4::bytea[]) x",
			fieldcrypt.Tenant(""), []string{rowID(6)}, []tenantMRN{newTenantMRN("MRN-6")}, []tenantMRNIndex{{}}); err != nil {
			t.Fatal(err)
		}
		// The row's tenant rules, whoever reads.
		rows, err := w.Query(bern, "SELECT clinic, mrn FROM tenanted ORDER BY id")
		if err != nil {
			t.Fatal(err)
		}
		var clinic fieldcrypt.Tenant
		var mrn tenantMRN
		var got string
		if _, err := pgx.ForEachRow(rows, []any{&clinic, &mrn}, func() error { got += string(clinic) + " " + mrn.MustReveal() + ", "; return nil }); err != nil {
			t.Fatal(err)
		}
		if want := "bern MRN-1, basel MRN-2, basel MRN-3, bern MRN-4, basel MRN-5, bern MRN-6, "; got != want {
			t.Errorf("%s, want %s", got, want)
		}
		terms, err := fc.SecretTerms(basel, newTenantMRN("MRN-2"))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.QueryRow(ctx, "SELECT clinic, mrn FROM tenanted WHERE mrn_bidx = ANY($1)", terms).Scan(&clinic, &mrn); err != nil || mrn.MustReveal() != "MRN-2" {
			t.Errorf("a search: %v", err)
		}
		for name, c := range map[string]struct {
			err  error
			want error
		}{
			"two tenants":               {write(bern, 9, named, "MRN-9"), fieldcrypt.ErrTenantMismatch},
			"no tenant":                 {write(ctx, 9, fieldcrypt.Tenant(""), "MRN-9"), fieldcrypt.ErrNoTenant},
			"a tenant that is text":     {write(bern, 9, "bern", "MRN-9"), fieldcrypt.ErrUnsupported},
			"two in one statement":      {second(w.Exec(ctx, "SELECT $1, $2", fieldcrypt.Tenant("bern"), named)), fieldcrypt.ErrTenantMismatch},
			"an upsert of the id alone": {second(w.Exec(bern, insert+" ON CONFLICT (id) DO UPDATE SET mrn = excluded.mrn", rowID(1), fieldcrypt.Tenant(""), newTenantMRN("x"), tenantMRNIndex{})), fieldcrypt.ErrUnsupported},
			"and of a list":             {second(w.Exec(bern, lists+" ON CONFLICT (id) DO UPDATE SET mrn = excluded.mrn", []string{rowID(1)}, []fieldcrypt.Tenant{""}, []tenantMRN{newTenantMRN("x")}, []tenantMRNIndex{{}})), fieldcrypt.ErrUnsupported},
			"search with an index":      {second(w.Exec(bern, "SELECT $1", newTenantMRN("x").Index())), fieldcrypt.ErrUnsupported},
			"read without the tenant":   {w.QueryRow(bern, "SELECT mrn FROM tenanted LIMIT 1").Scan(&mrn), fieldcrypt.ErrNoTenant},
			"read with an empty one":    {w.QueryRow(bern, "SELECT mrn, NULL AS clinic FROM tenanted LIMIT 1").Scan(&mrn, nil), fieldcrypt.ErrNoTenant},
			"read with two":             {w.QueryRow(bern, "SELECT mrn, clinic, clinic FROM tenanted LIMIT 1").Scan(&mrn, nil, nil), fieldcrypt.ErrNoTenant},
			"read with another":         {w.QueryRow(bern, "SELECT mrn, 'basel' AS clinic FROM tenanted WHERE clinic = 'bern' LIMIT 1").Scan(&mrn, nil), fieldcrypt.ErrUnknownKey},
		} {
			if !errors.Is(c.err, c.want) {
				t.Errorf("%s: %v, want %v", name, c.err, c.want)
			}
		}
		if n := collect(t, db, pgx.RowTo[int], "SELECT count(*)::int FROM tenanted"); n[0] != 6 {
			t.Errorf("%d rows", n)
		}
	})
}

// TestCodecHasNoTenant: it refuses both ways, and says what to take.
func TestCodecHasNoTenant(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		fc := openTenanted(t, db)
		bern := fieldcrypt.WithTenant(ctx, "bern")
		if _, err := pgxcrypt.Wrap(db, fc).Exec(bern, "INSERT INTO tenanted (id, clinic, mrn, mrn_bidx) VALUES ($1, $2, $3, $4)",
			rowID(1), fieldcrypt.Tenant(""), newTenantMRN("MRN-1"), tenantMRNIndex{}); err != nil {
			t.Fatal(err)
		}
		conn, err := db.Acquire(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Release()
		pgxcrypt.Register(conn.Conn().TypeMap(), fc)
		v := newTenantMRN("MRN-2")
		var back tenantMRN
		for name, err := range map[string]error{
			"write": second(conn.Exec(bern, "UPDATE tenanted SET mrn = $1", v)),
			"index": second(conn.Exec(bern, "UPDATE tenanted SET mrn_bidx = $1", v.Index())),
			"read":  conn.QueryRow(bern, "SELECT mrn FROM tenanted").Scan(&back),
		} {
			if !errors.Is(err, fieldcrypt.ErrNoTenant) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestCodecWithoutCrypter(t *testing.T) {
	m := pgtype.NewMap()
	pgxcrypt.Register(m, nil)
	if _, err := m.Encode(pgtype.ByteaOID, pgx.BinaryFormatCode, newMRN("x"), nil); !errors.Is(err, fieldcrypt.ErrNotRegistered) {
		t.Errorf("no Crypter: %v", err)
	}
}

// TestWrapIndexIsMoved: a statement must write the second column too, and the codec
// cannot see whether it does.
func TestWrapIndexIsMoved(t *testing.T) {
	inEachMode(t, func(t *testing.T, db *pgxpool.Pool) {
		clock := keymgrtest.NewClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		keys, err := keymgr.Open(ctx, keymgr.Config{Store: memstore.New(), Now: clock.Now, Domains: map[string]keymgr.Domain{
			"medical": {KEKs: []keymgr.KEK{keymgrtest.NewKEK("medical")}, AutoCreate: true},
		}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { keys.Close() })
		fc := fieldcrypt.New(keys, fieldcrypt.Config{})
		type Record struct {
			ID  int64
			MRN string `fieldcrypt:"medical,index,id=patients.mrn"`
		}
		exec(t, db, "CREATE TABLE records (id bigint)")
		migrate(t, db, fc, &Record{})
		exec(t, db, "ALTER TABLE records ADD COLUMN mrn_bidx_next bytea")
		w := pgxcrypt.Wrap(db, fc)
		one := newMRN("MRN-1")
		next := fieldcrypt.SecretNextIndex[string, mrnField]{}
		both := "INSERT INTO records (mrn, mrn_bidx, mrn_bidx_next) VALUES ($1, $2, $3)"
		if _, err := w.Exec(ctx, both, one, MRNIndex{}, next); err != nil { // NULL
			t.Fatal(err)
		}
		scope := keymgr.Scope{Domain: "medical"}
		id, err := keys.AddKey(ctx, scope, keymgr.Index)
		if err != nil {
			t.Fatal(err)
		}
		clock.Advance(24 * time.Hour)
		if err := keys.BeginReindex(ctx, scope, "patients.mrn_bidx", id); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Exec(ctx, "INSERT INTO records (mrn, mrn_bidx) VALUES ($1, $2)", one, MRNIndex{}); !errors.Is(err, fieldcrypt.ErrUnsupported) {
			t.Errorf("without the second column: %v", err)
		}
		if _, err := w.Exec(ctx, both, one, MRNIndex{}, next); err != nil {
			t.Fatal(err)
		}
		if n := collect(t, db, pgx.RowTo[int], "SELECT (10 * count(*) + count(mrn_bidx_next))::int FROM records"); n[0] != 21 {
			t.Errorf("%d", n)
		}
		conn, err := db.Acquire(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Release()
		pgxcrypt.Register(conn.Conn().TypeMap(), fc)
		if _, err := conn.Exec(ctx, "INSERT INTO records (mrn, mrn_bidx) VALUES ($1, $2)", one, one.Index()); !errors.Is(err, fieldcrypt.ErrUnsupported) {
			t.Errorf("the codec: %v", err)
		}
		if err := fc.SealSecrets(ctx, &one); err != nil {
			t.Fatal(err)
		}
		if _, err := one.Index().Value(); !errors.Is(err, fieldcrypt.ErrUnsupported) {
			t.Errorf("SealSecrets: %v", err)
		}
	})
}
