package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

// patient is the model of the application whose keys are rotated.
type patient struct {
	ID   int64  `db:"id"`
	Name string `db:"name" fieldcrypt:"medical"`
	MRN  string `db:"mrn" fieldcrypt:"medical,index"`
}

func (patient) TableName() string { return "patients" }

// clinic is that application.
type clinic struct {
	db       *sql.DB
	postgres bool
	keys     *keymgr.Manager
	fc       *fieldcrypt.Crypter
	model    *fieldcrypt.Model
}

// openClinic opens the application, whose scope has been made. Close it.
func openClinic(ctx context.Context, dsn, kek string) (*clinic, error) {
	db, err := openDatabase(dsn, "", false)
	if err != nil {
		return nil, err
	}
	k, err := openKEK(ctx, kek, false, io.Discard)
	if err != nil {
		return nil, err
	}
	c := &clinic{db: db, postgres: isPostgres(dsn)}
	if c.keys, err = keymgr.Open(ctx, keymgr.Config{
		Store: sqlstore.New(db), Domains: map[string]keymgr.Domain{"medical": {KEKs: []keymgr.KEK{k}}}, Lazy: true, StoreTimeout: 10 * time.Second,
	}); err != nil {
		return nil, err
	}
	c.fc = fieldcrypt.New(c.keys, fieldcrypt.Config{})
	c.model, err = c.fc.Model(patient{})
	return c, err
}

func (c *clinic) Close() {
	c.keys.Close()
	c.db.Close()
}

// makeTable makes the table of patients, unless it is there.
func (c *clinic) makeTable(ctx context.Context) error {
	const check = "CHECK (%[1]s IS NULL OR (typeof(%[1]s) = 'blob' AND length(%[1]s) >= 36 AND substr(%[1]s, 1, 2) = x'fc01'))"
	ddl := "CREATE TABLE IF NOT EXISTS patients (id integer PRIMARY KEY, name blob " + fmt.Sprintf(check, "name") +
		", mrn blob " + fmt.Sprintf(check, "mrn") + ", mrn_bidx blob)"
	if c.postgres {
		if _, err := c.db.ExecContext(ctx, fieldcrypt.CreatePostgresType()); err != nil {
			return err
		}
		ddl = "CREATE TABLE IF NOT EXISTS patients (id bigint PRIMARY KEY, name fieldcrypt_value, mrn fieldcrypt_value, mrn_bidx bytea)"
	}
	_, err := c.db.ExecContext(ctx, ddl)
	return err
}

// insert adds patients with the ids from..to-1.
func (c *clinic) insert(ctx context.Context, from, to int) error {
	tx, err := c.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for id := from; id < to; id++ {
		args := []any{id}
		s := c.fc.Sealer(ctx, fieldcrypt.Row{})
		v := reflect.ValueOf(c.patient(id))
		for _, path := range []string{"Name", "MRN"} {
			f := c.model.Field(path)
			sealed, err := s.Seal(f, v.FieldByName(path))
			if err != nil {
				return err
			}
			args = append(args, sealed)
		}
		term, err := s.Index(c.model.Field("MRN").SearchIndex(), v.FieldByName("MRN"))
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO patients (id, name, mrn, mrn_bidx) VALUES ($1, $2, $3, $4)", append(args, term)...); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	if c.postgres {
		_, err = c.db.ExecContext(ctx, "ANALYZE patients")
	}
	return err
}

func (c *clinic) patient(id int) patient {
	return patient{int64(id), fmt.Sprintf("Ann Example %d", id), fmt.Sprintf("MRN-%d", id)}
}

// check opens every value, and returns how many rows there are and which seal keys
// their values name.
func (c *clinic) check(ctx context.Context) (rows int, keys map[uint32]int, err error) {
	list, err := c.db.QueryContext(ctx, "SELECT id, name, mrn FROM patients")
	if err != nil {
		return 0, nil, err
	}
	defer list.Close()
	keys = map[uint32]int{}
	for list.Next() {
		var id int
		var name, mrn []byte
		if err := list.Scan(&id, &name, &mrn); err != nil {
			return rows, keys, err
		}
		want := reflect.ValueOf(c.patient(id))
		for path, stored := range map[string][]byte{"Name": name, "MRN": mrn} {
			var got string
			if err := c.fc.Open(ctx, c.model.Field(path), stored, reflect.ValueOf(&got).Elem(), fieldcrypt.Row{}); err != nil {
				return rows, keys, fmt.Errorf("row %d: %w", id, err)
			}
			if got != want.FieldByName(path).String() {
				return rows, keys, fmt.Errorf("row %d: another value", id)
			}
			key, _ := fieldcrypt.KeyID(stored)
			keys[key]++
		}
		rows++
	}
	return rows, keys, list.Err()
}

// writeManifest writes what an application commits.
func (c *clinic) writeManifest(name string) error {
	text, err := c.fc.Manifest(patient{})
	if err != nil {
		return err
	}
	return os.WriteFile(name, text, 0o644)
}

// makeClinic makes all of it: table, rows, manifest.
func makeClinic(ctx context.Context, dsn, kek, manifest string, rows int) error {
	c, err := openClinic(ctx, dsn, kek)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.makeTable(ctx); err != nil {
		return err
	}
	if err := c.insert(ctx, 1, rows+1); err != nil {
		return err
	}
	return c.writeManifest(manifest)
}

// configText is a configuration file for it.
func configText(kek string) string {
	return strings.Join([]string{"manifest: fieldcrypt.json", "actor: alice", "domains:", "  medical:", "    keks: ['" + kek + "']", ""}, "\n")
}
