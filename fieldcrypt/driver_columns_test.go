package fieldcrypt_test

import (
	"database/sql"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// TestPlainColumns: what is a column, and in which order.
func TestPlainColumns(t *testing.T) {
	type Owner struct{ ID int64 }
	type Pet struct{ Name string }
	type Address struct{ Street, City string }
	type base struct {
		ID      int64
		Created time.Time
	}
	type model struct {
		base
		hidden  int
		Tags    []string
		Deleted sql.NullTime
		MRN     string `fieldcrypt:"medical,id=t.mrn"`
		Clinic  string `fieldcrypt:",tenant"`
		Addr    netip.Addr
		Left    string `db:"-"`
		Gone    string `gorm:"-"`
		OwnerID int64
		Owner   Owner
		Best    *Pet
		Pets    []Pet
		Herd    []*Pet
		JSON    Address        `db:"json"`
		Meta    Address        `gorm:"serializer:json"`
		Home    Address        `gorm:"embedded;embeddedPrefix:home_"`
		Extra   map[string]any `db:"extra_data"`
		Times   []time.Time
	}
	_ = model{hidden: 1}.hidden
	m, err := secretCrypter(t).Model(model{})
	if err != nil {
		t.Fatal(err)
	}
	var columns []string
	for _, f := range m.Plain() {
		columns = append(columns, f.Column)
	}
	want := []string{"id", "created", "tags", "deleted", "clinic", "addr", "owner_id", "json", "meta", "home_street", "home_city", "extra_data", "times"}
	if !slices.Equal(columns, want) {
		t.Errorf("columns %q, want %q", columns, want)
	}
	if m.Tenant != m.Plain()[4] {
		t.Error("the tenant column is another one than the model's")
	}
}

// TestDerived: a driver's part of a model is made once, also where it fails.
func TestDerived(t *testing.T) {
	fc := secretCrypter(t)
	m, err := fc.Model(mrnField{})
	if err != nil {
		t.Fatal(err)
	}
	type key struct{ n int }
	failed := errors.New("failed")
	calls := 0
	for range 3 {
		for n, want := range map[int]error{1: nil, 2: failed} {
			v, err := m.Derived(key{n}, func() (any, error) { calls++; return n, want })
			if v != n || err != want {
				t.Errorf("%v, %v", v, err)
			}
		}
	}
	if calls != 2 {
		t.Errorf("made %d times", calls)
	}
	if again, err := fc.Model(&mrnField{}); err != nil || again != m {
		t.Errorf("another model of one type, %v", err)
	}
	if _, err := fieldcrypt.New(fc.Keys(), fieldcrypt.Config{}).Model(mrnField{}); err != nil {
		t.Error(err)
	}
}
