package migrate_test

import (
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

// catalogueUUID is stored as people store UUIDs: as its text, in a uuid where there
// is such a type.
type catalogueUUID [16]byte

func (u catalogueUUID) Value() (driver.Value, error) {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:]), nil
}

func (u *catalogueUUID) Scan(src any) error {
	b, err := hex.DecodeString(strings.ReplaceAll(fmt.Sprintf("%s", src), "-", ""))
	copy(u[:], b)
	return err
}

func (catalogueUUID) GormDataType() string { return "uuid" }

type catalogueRow struct {
	gormcrypt.Encrypted
	ID     catalogueUUID `gorm:"primaryKey"`
	Org    string        `fieldcrypt:",tenant" gorm:"primaryKey"`
	Number int32
	Code   string
	Name   string    `fieldcrypt:"medical,index=fold,bind=ID"`
	Card   *string   `fieldcrypt:"finance,pad=32,bind=Number"`
	Born   time.Time `fieldcrypt:"medical,index,bind=Code"`
	Count  uint64    `fieldcrypt:"finance,index"`
	Raw    []byte    `fieldcrypt:"medical"`
}

func (catalogueRow) TableName() string { return "rows" }

// TestCatalogueRowsOfDrivers: rows that GORM wrote are sealed anew by the manifest
// alone, from what database/sql gives for their columns, and GORM reads them.
func TestCatalogueRowsOfDrivers(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) gorm.Dialector{
		"Postgres": func(t *testing.T) gorm.Dialector { return postgres.Open(pgtest.DB(t)) },
		"SQLite": func(t *testing.T) gorm.Dialector {
			return sqlite.New(sqlite.Config{DriverName: "sqlite", DSN: "file:" + filepath.Join(t.TempDir(), "test.db")})
		},
	} {
		t.Run(name, func(t *testing.T) { catalogueRows(t, open(t)) })
	}
}

func catalogueRows(t *testing.T, dialector gorm.Dialector) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	clock, kek := keymgrtest.NewClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)), keymgrtest.NewKEK("key")
	keys, err := keymgr.Open(t.Context(), keymgr.Config{Store: memstore.New(), Now: clock.Now, Domains: map[string]keymgr.Domain{
		"medical": {KEKs: []keymgr.KEK{kek}, PerTenant: true}, "finance": {KEKs: []keymgr.KEK{kek}, AutoCreate: true}}})
	must(err)
	t.Cleanup(func() { keys.Close() })
	scopes := []keymgr.Scope{{Domain: "medical", Tenant: "north"}, {Domain: "medical", Tenant: "south"}, {Domain: "finance"}}
	must(keys.Create(t.Context(), scopes[0]))
	must(keys.Create(t.Context(), scopes[1]))
	fc := fieldcrypt.New(keys, fieldcrypt.Config{})
	db, err := gorm.Open(dialector, &gorm.Config{})
	must(err)
	must(db.Use(gormcrypt.New(fc, &catalogueRow{})))
	must(db.AutoMigrate(&catalogueRow{}))
	pool, err := db.DB()
	must(err)
	t.Cleanup(func() { pool.Close() })

	var want []catalogueRow
	for i := range 20 {
		row := catalogueRow{ID: catalogueUUID{byte(i), 15: 9}, Org: scopes[i%2].Tenant, Number: int32(-i), Code: fmt.Sprint("c", i), Name: fmt.Sprint("Ä", i),
			Born: time.Unix(int64(i), 0).UTC(), Count: uint64(i) << 59, Raw: []byte{byte(i)}}
		if i%3 > 0 {
			row.Card = &row.Name
		}
		must(db.WithContext(fieldcrypt.WithTenant(t.Context(), row.Org)).Create(&row).Error)
		want = append(want, row)
	}
	used := map[string]uint32{}
	for _, s := range scopes {
		id, err := keys.AddKey(t.Context(), s, keymgr.Seal)
		must(err)
		clock.Advance(2 * time.Hour)
		must(keys.PromoteKey(t.Context(), s, keymgr.Seal, id))
		used[s.Domain+s.Tenant] = id
	}
	text, err := fc.Manifest(&catalogueRow{})
	must(err)
	m, err := fieldcrypt.ParseManifest(text)
	must(err)
	mt := &m.Tables[0]
	table, err := fc.Table(mt)
	must(err)

	var names []string
	for _, col := range mt.Columns {
		names = append(names, col.Column)
	}
	for _, ix := range mt.Indexes {
		names = append(names, ix.Column)
	}
	for _, col := range mt.Columns {
		if col.Bind != nil {
			names = append(names, col.Bind.Column)
		} else {
			names = append(names, "NULL")
		}
	}
	read := func(each func(id any, row *fieldcrypt.StoredRow)) {
		rows, err := pool.Query("SELECT id, org, " + strings.Join(names, ", ") + " FROM rows")
		must(err)
		defer rows.Close()
		n := len(mt.Columns)
		for rows.Next() {
			var id any
			row := &fieldcrypt.StoredRow{Values: make([][]byte, n), Terms: make([][]byte, len(mt.Indexes)), Bound: make([]any, n)}
			dest := []any{&id, &row.Tenant}
			for i := range row.Values {
				dest = append(dest, &row.Values[i])
			}
			for i := range row.Terms {
				dest = append(dest, &row.Terms[i])
			}
			for i := range row.Bound {
				dest = append(dest, &row.Bound[i])
			}
			must(rows.Scan(dest...))
			each(id, row)
		}
		must(rows.Err())
	}
	updates := map[any][][]byte{}
	batch := table.Batch(t.Context())
	read(func(id any, row *fieldcrypt.StoredRow) {
		out := make([][]byte, len(mt.Columns))
		_, err := batch.Reseal(row, out)
		must(err)
		updates[id] = out
	})
	for id, out := range updates {
		for i, value := range out {
			if value != nil {
				_, err := pool.Exec("UPDATE rows SET "+mt.Columns[i].Column+" = $1 WHERE id = $2", value, id)
				must(err)
			}
		}
	}
	batch, seen := table.Batch(t.Context()), 0
	read(func(_ any, row *fieldcrypt.StoredRow) {
		seen++
		if failures, err := batch.Verify(row); len(failures) > 0 || err != nil {
			t.Errorf("%v, %v", failures, err)
		}
		for i, col := range mt.Columns {
			scope := col.Domain
			if col.PerTenant {
				scope += row.Tenant
			}
			if id, ok := fieldcrypt.KeyID(row.Values[i]); row.Values[i] != nil && (!ok || id != used[scope]) {
				t.Errorf("%s has key %d", col.Column, id)
			}
		}
	})
	if seen != len(want) {
		t.Errorf("%d rows, want %d", seen, len(want))
	}
	for _, w := range want {
		var got catalogueRow
		must(db.WithContext(fieldcrypt.WithTenant(t.Context(), w.Org)).Where("name = ?", strings.ToLower(w.Name)).First(&got).Error)
		if !reflect.DeepEqual(got, w) {
			t.Errorf("got %+v, want %+v", got, w)
		}
	}
}
