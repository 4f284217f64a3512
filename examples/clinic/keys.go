package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/awskms"
	"github.com/fieldcrypt/go/keymgr/localkms"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

// keks are the KMS keys that wrap the keys of each domain.
type keks struct {
	byDomain    map[string]keymgr.KEK
	development bool   // the keys of a domain may be made at the start
	file        string // of the development key
}

// openKEKs asks no KMS yet.
func openKEKs(ctx context.Context, cfg config) (keks, error) {
	k := keks{byDomain: map[string]keymgr.KEK{}}
	for domain, name := range cfg.kmsKeys {
		kek, err := awskms.Open(ctx, name)
		if err != nil {
			return keks{}, err
		}
		k.byDomain[domain] = kek
	}
	if len(k.byDomain) > 0 {
		return k, nil
	}
	if err := os.MkdirAll(cfg.data, 0o700); err != nil {
		return keks{}, fmt.Errorf("-data: %w", err)
	}
	k.development, k.file = true, cfg.keyFile()
	file, err := localkms.OpenOrCreate(k.file)
	if err != nil {
		return keks{}, err
	}
	k.byDomain["medical"], k.byDomain["finance"] = file, file
	return k, nil
}

// openKeys opens the keys of all domains: one KMS call each, now, and then one
// whenever they have been in the cache for five minutes.
func openKeys(ctx context.Context, db *database, k keks, log *slog.Logger) (*keymgr.Manager, error) {
	if err := sqlstore.Migrate(ctx, db.sql); err != nil {
		return nil, err
	}
	return keymgr.Open(keymgr.WithActor(ctx, "clinic"), keyConfig(db, k, log))
}

func keyConfig(db *database, k keks, log *slog.Logger) keymgr.Config {
	cfg := keymgr.Config{Store: sqlstore.New(db.sql), Domains: map[string]keymgr.Domain{}, Logger: log}
	for domain, kek := range k.byDomain {
		// In production an operator makes the keys, once, so that keys which are
		// lost are an error and not silently replaced.
		cfg.Domains[domain] = keymgr.Domain{KEKs: []keymgr.KEK{kek}, AutoCreate: k.development}
	}
	return cfg
}
