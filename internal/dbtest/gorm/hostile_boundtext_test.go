package gorm_test

import (
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
)

// A database may give another text back than it was given, or find a row by
// another: values that are bound to one would not open with the other.
func TestHostileTextThatTheDatabaseChangesCannotBind(t *testing.T) {
	type UUIDText struct {
		gormcrypt.Encrypted
		Key  string `gorm:"primaryKey;type:uuid"`
		Text string `fieldcrypt:"medical,bind=Key"`
	}
	type CharText struct {
		gormcrypt.Encrypted
		Key  string `gorm:"primaryKey;type:char(40)"`
		Text string `fieldcrypt:"medical,bind=Key"`
	}
	type NoCase struct {
		gormcrypt.Encrypted
		Key  string `gorm:"primaryKey;type:text collate nocase"`
		Text string `fieldcrypt:"medical,bind=Key"`
	}
	type AnyText struct {
		gormcrypt.Encrypted
		Key  string `gorm:"primaryKey;type:VARCHAR(40)"`
		Text string `fieldcrypt:"medical,bind=Key"`
	}
	type SizedText struct {
		gormcrypt.Encrypted
		Key  string `gorm:"primaryKey;size:40"`
		Text string `fieldcrypt:"medical,bind=Key"`
	}
	onEach(t, func(t *testing.T, d dialector) {
		for _, model := range []any{&UUIDText{}, &CharText{}, &NoCase{}} {
			db, _ := open(t, d(t), gorm.Config{})
			isRefused(t, "bind", db.Use(gormcrypt.New(newCrypter(t), model)), fieldcrypt.ErrModel)
		}
		for _, model := range []any{&AnyText{}, &SizedText{}} {
			db, _ := open(t, d(t), gorm.Config{})
			if err := db.Use(gormcrypt.New(newCrypter(t), model)); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestHostileCheckFindsColumnsThatChangeText(t *testing.T) {
	onEach(t, func(t *testing.T, d dialector) {
		db := reports(t, d, gorm.Config{})
		if err := gormcrypt.Check(ctx, db, &Report{}); err != nil {
			t.Fatal(err)
		}
		must(t, db.Exec("DROP TABLE reports"))
		if db.Dialector.Name() == "postgres" {
			must(t, db.Exec("CREATE TABLE reports (text fieldcrypt_value, text_bidx bytea, page fieldcrypt_value, other fieldcrypt_value, key char(9) PRIMARY KEY, number bigint, ward text)"))
		} else {
			must(t, db.Exec("CREATE TABLE reports (text blob, text_bidx blob, page blob, other blob, key text COLLATE NOCASE PRIMARY KEY, number integer, ward text)"))
		}
		err := gormcrypt.Check(ctx, db, &Report{})
		isRefused(t, "Check", err, fieldcrypt.ErrSchema)
		if !strings.Contains(fmt.Sprint(err), "the column reports.key ") {
			t.Errorf("Check says nothing of the key: %v", err)
		}
	})
}
