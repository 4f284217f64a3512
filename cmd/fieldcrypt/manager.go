package main

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

// openManager returns a Manager for one scope. There is one for each, because
// scopes of one domain may differ in their KEKs and in how their tenants appear
// in the KMS's log. warnings is told what went wrong and was overcome.
func openManager(ctx context.Context, store keymgr.Store, s keymgr.Scope, d keymgr.Domain, warnings io.Writer, settings ...func(*keymgr.Config)) (*keymgr.Manager, error) {
	d.PerTenant = s.Tenant != ""
	cfg := keymgr.Config{
		Store:        store,
		Domains:      map[string]keymgr.Domain{s.Domain: d},
		Lazy:         true,
		StoreTimeout: 10 * time.Second, // longer than an SQLite database may be busy
		Logger:       slog.New(slog.NewTextHandler(warnings, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	for _, set := range settings {
		set(&cfg)
	}
	return keymgr.Open(ctx, cfg)
}

// parseTenantContext reads a --tenant-context, which is the value's name in JSON too.
func parseTenantContext(name string) (keymgr.TenantContext, error) {
	switch name {
	case "plain":
		return keymgr.TenantPlain, nil
	case "sha256":
		return keymgr.TenantSHA256, nil
	}
	return "", usagef("--tenant-context is plain or sha256")
}

func tenantContextName(tc keymgr.TenantContext) string {
	if tc == keymgr.TenantPlain {
		return "plain"
	}
	return string(tc)
}
