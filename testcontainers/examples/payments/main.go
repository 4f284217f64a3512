// Command payments is a small application with an integration test to copy from:
// customer.go is its model, service.go what it does, service_test.go the test, on a
// real Postgres, with an outage of the KMS and a rotation of keys in the middle.
//
//	payments register NAME IBAN
//	payments find IBAN
//
// It needs a database in DATABASE_URL, with tables and keysets (`fieldcrypt keys
// migrate`, `fieldcrypt keys create`), and AWS KMS keys with the aliases
// personal-key and finance-key.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/awskms"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "payments:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	db, err := gorm.Open(postgres.Open(os.Getenv("DATABASE_URL")), &gorm.Config{})
	if err != nil {
		return err
	}
	sqlDB, err := db.DB()
	if err != nil {
		return err
	}
	defer sqlDB.Close()
	domains := map[string]keymgr.Domain{}
	for _, name := range []string{"personal", "finance"} {
		kek, err := awskms.Open(ctx, "alias/"+name+"-key")
		if err != nil {
			return err
		}
		domains[name] = keymgr.Domain{KEKs: []keymgr.KEK{kek}}
	}
	keys, err := keymgr.Open(ctx, keymgr.Config{Store: sqlstore.New(sqlDB), Domains: domains})
	if err != nil {
		return err
	}
	defer keys.Close()
	if err := db.Use(gormcrypt.New(fieldcrypt.New(keys, fieldcrypt.Config{}), &Customer{})); err != nil {
		return err
	}
	if err := db.AutoMigrate(&Customer{}); err != nil {
		return err
	}
	s := &Service{db}
	switch {
	case len(args) == 3 && args[0] == "register":
		return s.Register(ctx, args[1], args[2])
	case len(args) == 2 && args[0] == "find":
		c, err := s.ByIBAN(ctx, args[1])
		if err == nil {
			fmt.Println(c.Name)
		}
		return err
	}
	return errors.New("usage: payments register NAME IBAN | payments find IBAN")
}
