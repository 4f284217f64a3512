package gorm_test

import (
	"bytes"
	"fmt"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

// Badge has its tenant in its primary key.
type Badge struct {
	gormcrypt.Encrypted
	Clinic string `fieldcrypt:",tenant" gorm:"primaryKey"`
	Number int    `gorm:"primaryKey;autoIncrement:false"`
	Name   string `fieldcrypt:"tenants,index"`
}

// An upsert of rows of several tenants, one of whose indexes moves to another key.
func TestHostileUpsertOfTenantsWhileOneMoves(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		for _, order := range [][]string{{acme, hill}, {hill, acme}} {
			keys := keymgrtest.NewPerTenant(t, "tenants")
			for _, tenant := range order {
				if err := keys.Ensure(ctx, keymgr.Scope{Domain: "tenants", Tenant: tenant}); err != nil {
					t.Fatal(err)
				}
			}
			db, _ := open(t, d(t), gorm.Config{})
			if err := db.Use(gormcrypt.New(fieldcrypt.New(keys, fieldcrypt.Config{}), &Badge{})); err != nil {
				t.Fatal(err)
			}
			if err := db.AutoMigrate(&Badge{}); err != nil {
				t.Fatal(err)
			}
			must(t, db.Exec("ALTER TABLE badges ADD COLUMN name_bidx_next "+map[string]string{"sqlite": "blob", "postgres": "bytea"}[db.Dialector.Name()]))
			scope := keymgr.Scope{Domain: "tenants", Tenant: hill}
			id, err := keys.AddKey(ctx, scope, keymgr.Index)
			if err == nil {
				err = keys.BeginReindex(ctx, scope, "badges.name_bidx", id)
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"first", "second"} {
				rows := make([]Badge, 20)
				for i := range rows {
					rows[i] = Badge{Clinic: order[i%2], Number: i, Name: fmt.Sprint(name, i)}
				}
				must(t, db.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "clinic"}, {Name: "number"}}, DoUpdates: clause.AssignmentColumns([]string{"name"})}).Create(&rows))
				for _, r := range rows {
					terms, err := gormcrypt.Terms(in(db, r.Clinic), &Badge{}, "name", r.Name)
					if err != nil {
						t.Fatal(err)
					}
					var b struct{ NameBidx, NameBidxNext []byte }
					must(t, gormcrypt.AllowRaw(db).Raw("SELECT name_bidx, name_bidx_next FROM badges WHERE clinic = ? AND number = ?", r.Clinic, r.Number).Scan(&b))
					if !bytes.Equal(b.NameBidx, terms[0]) || r.Clinic == hill && !bytes.Equal(b.NameBidxNext, terms[1]) || r.Clinic == acme && b.NameBidxNext != nil {
						t.Errorf("%v: %s %d: %x, %x; want %x", order, r.Clinic, r.Number, b.NameBidx, b.NameBidxNext, terms)
						break
					}
				}
			}
		}
	})
}
