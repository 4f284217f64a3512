// Quickstart shows fieldcrypt from end to end: a GORM model whose sensitive
// fields are ciphertext in the database, found by equality search, under keys
// that a KMS wraps.
//
//	go run ./examples/quickstart        SQLite and a key file: needs nothing but Go
//	go run ./examples/quickstart -h     Postgres, AWS KMS
//
// Read this file from top to bottom; the others beside it hold what any program
// needs: flags, the CSV, printing, connections.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

//go:generate go run ./gendata -o testdata/patients.csv

// Patient is an ordinary GORM model. A tag names the key domain of a field, a
// class of data with keys of its own, and what else it should be able to do.
type Patient struct {
	gormcrypt.Encrypted // marks the model; adds no column

	ID         uint64
	Name       string    `fieldcrypt:"medical"`
	MRN        string    `fieldcrypt:"medical,index" gorm:"uniqueIndex"` // searchable, and unique
	NationalID *string   `fieldcrypt:"medical,index=alnum"`              // NULL stays NULL
	Card       string    `fieldcrypt:"finance,index=digits"`             // found however it is typed
	BirthDate  time.Time `fieldcrypt:"medical"`                          // not only text
	Notes      *string   `fieldcrypt:"medical,pad=64"`                   // hides the length, in steps of 64 bytes
	CreatedAt  time.Time // not tagged: stored as it is
}

// quickstart is the program once it has a database and two KMS keys to wrap
// with (kms.go: localkms.OpenOrCreate or awskms.Key).
func quickstart(ctx context.Context, out *printer, conn *connection, kms *keyService) error {
	fromCSV, err := readPatients()
	if err != nil {
		return err
	}
	out.title("%d made-up patients in %s, keys wrapped by %s", len(fromCSV), conn.name, kms.name)

	out.step("Keys: each domain has its own, wrapped by a KMS key and kept in the database")
	if err := sqlstore.Migrate(ctx, conn.sql); err != nil { // makes the tables of the keys
		return err
	}
	config := keymgr.Config{
		Store: sqlstore.New(conn.sql),
		Domains: map[string]keymgr.Domain{
			"medical": {KEKs: []keymgr.KEK{kms.first}},
			"finance": {KEKs: []keymgr.KEK{kms.first}}, // in production, another KMS key
		},
	}
	if err := createKeys(ctx, config); err != nil {
		return err
	}
	keys, err := keymgr.Open(ctx, config) // what an application does at its start
	if err != nil {
		return err
	}
	defer keys.Close()
	out.line("medical and finance made under %s", kms.first.URI())

	db, err := openGORM(ctx, conn, keys)
	if err != nil {
		return err
	}
	if err := db.AutoMigrate(&Patient{}); err != nil { // also makes the index columns mrn_bidx, ...
		return err
	}

	out.step("Write: db.CreateInBatches, as without encryption")
	patients, err := readPatients()
	if err != nil {
		return err
	}
	err = out.timed("insert", len(patients), func() error {
		defer showProgress(out.w, db, len(patients))()
		return db.CreateInBatches(patients, 100).Error
	})
	if err != nil {
		return err
	}
	if err := compare(patients, fromCSV); err != nil { // the structs still hold plaintext
		return fmt.Errorf("after the insert: %w", err)
	}

	out.step("Read: one row as the database sees it, and as the application does")
	if err := out.storedRow(ctx, conn.sql, patients[41].ID); err != nil {
		return err
	}
	var p Patient
	if err := db.First(&p, patients[41].ID).Error; err != nil {
		return err
	}
	out.line("db.First(&p, %d)", p.ID)
	out.patient(p)

	out.step("Search: db.Where, rewritten to the blind index")
	if err := search(out, db); err != nil {
		return err
	}

	out.step("Move the keys to another KMS key: the rows stay as they are")
	if err := moveKeys(ctx, out, conn, config, kms.second); err != nil {
		return err
	}
	keys.Close() // the old configuration has ended

	out.step("Read everything back, with the new KMS key alone")
	config.Domains = map[string]keymgr.Domain{
		"medical": {KEKs: []keymgr.KEK{kms.second}},
		"finance": {KEKs: []keymgr.KEK{kms.second}},
	}
	keys, err = keymgr.Open(ctx, config)
	if err != nil {
		return err
	}
	defer keys.Close()
	if db, err = openGORM(ctx, conn, keys); err != nil {
		return err
	}
	var all []Patient
	if err := out.timed("read", len(fromCSV), func() error { return db.Find(&all).Error }); err != nil {
		return err
	}
	if err := compare(all, fromCSV); err != nil {
		return err
	}
	out.line("every field of all %d patients is what the CSV says", len(all))
	out.summary()
	return nil
}

// createKeys is done once, by an operator: `fieldcrypt keys create`, or this. An
// application never makes keys on the fly, so that keys which are lost are an
// error and not silently replaced. Lazy, because there is nothing to open yet.
func createKeys(ctx context.Context, config keymgr.Config) error {
	config.Lazy = true
	operator, err := keymgr.Open(ctx, config)
	if err != nil {
		return err
	}
	defer operator.Close()
	for domain := range config.Domains {
		if err := operator.Create(ctx, keymgr.Scope{Domain: domain}); err != nil {
			return err
		}
	}
	return nil
}

// openGORM is all that an application adds to what it did before.
func openGORM(ctx context.Context, conn *connection, keys *keymgr.Manager) (*gorm.DB, error) {
	db, err := gorm.Open(conn.dialector(), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return nil, err
	}
	fc := fieldcrypt.New(keys, fieldcrypt.Config{})
	if err := db.Use(gormcrypt.New(fc, &Patient{})); err != nil { // a wrong tag is an error here
		return nil, err
	}
	return db.WithContext(ctx), nil
}

// search finds patients by encrypted fields.
func search(out *printer, db *gorm.DB) error {
	for _, q := range []struct{ where, value, wantMRN string }{
		{"mrn = ?", "MRN-100042", "MRN-100042"},
		{"card = ?", "6011 0009 9013 9424", "MRN-100777"},
		{"card = ?", "6011000990139424", "MRN-100777"},
		{"card = ?", "6011-0009-9013-9424", "MRN-100777"},
	} {
		var found []Patient
		if err := db.Where(q.where, q.value).Find(&found).Error; err != nil {
			return err
		}
		if len(found) != 1 || found[0].MRN != q.wantMRN {
			return fmt.Errorf("search with %s: %d rows, want the one patient %s", q.where, len(found), q.wantMRN)
		}
		out.line("%-9s %-22q finds %s", q.where, q.value, found[0].MRN)
	}
	// What ciphertext cannot answer is an error, never an empty result.
	err := db.Where("name LIKE ?", "Z%").Find(&[]Patient{}).Error
	if !errors.Is(err, fieldcrypt.ErrQueryOnCiphertext) {
		return fmt.Errorf("LIKE on an encrypted column was not refused: %w", err)
	}
	out.line("name LIKE is refused: %v", err)
	return nil
}

// moveKeys wraps the keysets under another KMS key, one call for each domain
// where the KMS can do it inside (AWS: ReEncrypt). No row is touched.
func moveKeys(ctx context.Context, out *printer, conn *connection, config keymgr.Config, to keymgr.KEK) error {
	before, err := fingerprint(ctx, conn.sql)
	if err != nil {
		return err
	}
	moving := config
	moving.Lazy = true
	moving.Domains = map[string]keymgr.Domain{}
	for name, d := range config.Domains {
		moving.Domains[name] = keymgr.Domain{KEKs: []keymgr.KEK{to}, DecryptOnly: d.KEKs}
	}
	operator, err := keymgr.Open(ctx, moving)
	if err != nil {
		return err
	}
	defer operator.Close()
	for domain := range moving.Domains {
		if err := operator.Rewrap(ctx, keymgr.Scope{Domain: domain}); err != nil {
			return err
		}
	}
	out.line("medical and finance are under %s now", to.URI())

	after, err := fingerprint(ctx, conn.sql)
	if err != nil {
		return err
	}
	if after != before {
		return errors.New("rewrap changed rows")
	}
	out.line("the bytes of all rows are what they were: SHA-256 %.16s…", after)

	// The configuration that lists the old key only.
	if _, err := keymgr.Open(ctx, config); !errors.Is(err, keymgr.ErrKEKNotAllowed) {
		return fmt.Errorf("the old KMS key alone was not refused: %w", err)
	}
	out.line("the old KMS key alone is refused")
	return nil
}
