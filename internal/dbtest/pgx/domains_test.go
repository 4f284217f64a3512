package pgx_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

// TestOneDomainIsDenied: what names columns of the other alone goes on.
func TestOneDomainIsDenied(t *testing.T) {
	finance := keymgrtest.NewKEK("finance")
	keys, err := keymgr.Open(ctx, keymgr.Config{Store: memstore.New(), Domains: map[string]keymgr.Domain{
		"medical": {KEKs: []keymgr.KEK{keymgrtest.NewKEK("medical")}, AutoCreate: true},
		"finance": {KEKs: []keymgr.KEK{finance}, AutoCreate: true},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keys.Close() })
	fc := fieldcrypt.New(keys, fieldcrypt.Config{})
	db := pool(t, pgtest.DB(t))
	exec(t, db, practice)
	migrate(t, db, fc, &Patient{}, &Visit{})
	one := patient(1)
	exec(t, db, insertPatient, pgxcrypt.Args(fc, &one))

	finance.Deny()
	keys.Evict(keymgr.Scope{Domain: "finance"})
	update := "UPDATE patients SET mrn = @mrn, mrn_bidx = @mrn_bidx WHERE id = @id"
	same(t, "a part", collect(t, db, pgxcrypt.RowToStructByNameLax[Patient](ctx, fc), "SELECT id, mrn FROM patients")[0], Patient{ID: 1, MRN: one.MRN})
	exec(t, db, update, pgxcrypt.Args(fc, &one))
	exec(t, db, "INSERT INTO patients (id, mrn, mrn_bidx) SELECT * FROM unnest(@id::bigint[], @mrn::bytea[], @mrn_bidx::bytea[])", pgxcrypt.Unnest(fc, []Patient{patient(2)}))
	if _, err := pgxcrypt.CopyInto(ctx, db, fc, pgx.Identifier{"patients"}, []Patient{patient(3)}, "id", "mrn"); err != nil {
		t.Error(err)
	}
	four := patient(4)
	for name, err := range map[string]error{
		"Args":     second(db.Exec(ctx, insertPatient, pgxcrypt.Args(fc, &four))),
		"CopyInto": second(pgxcrypt.CopyInto(ctx, db, fc, pgx.Identifier{"patients"}, []Patient{four})),
		"RowTo":    second(query(db, pgxcrypt.RowToStructByName[Patient](ctx, fc), "SELECT * FROM patients WHERE id = 1")),
		"Eq":       second(pgxcrypt.Eq[Patient](ctx, fc, "card_no", "1")),
	} {
		if !errors.Is(err, fieldcrypt.ErrKMSDenied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The same arguments serve once the KMS is back.
	args := pgxcrypt.Args(fc, &four)
	if _, err := db.Exec(ctx, insertPatient, args); !errors.Is(err, fieldcrypt.ErrKMSDenied) {
		t.Errorf("denied: %v", err)
	}
	finance.Recover()
	keys.Evict(keymgr.Scope{Domain: "finance"}) // or a second passes: a scope that was refused often is not tried at each use
	exec(t, db, insertPatient, args)
}
