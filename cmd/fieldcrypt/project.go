package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
	"github.com/fieldcrypt/go/migrate"
	"github.com/fieldcrypt/go/migrate/migratecmd"
)

// projectFlags say where a project's rows and keys are, and what it looks like.
type projectFlags struct {
	database databaseFlag
	actor    actorFlag
	manifest string
	keks     []string
	from     []string
	maxAge   time.Duration
}

// newMigration returns the commands of package migratecmd, which work from a
// manifest file here.
func newMigration() []*cobra.Command {
	flags := map[*cobra.Command]*projectFlags{}
	return migratecmd.New(migratecmd.Setup{
		Flags: func(cmd *cobra.Command, need migratecmd.Need) {
			f := &projectFlags{}
			f.register(cmd, need)
			flags[cmd] = f
		},
		Open: func(cmd *cobra.Command, need migratecmd.Need) (*migrate.Project, func(), error) {
			return flags[cmd].open(cmd, need)
		},
		Long: strings.TrimSpace(kekHelp),
	})
}

func (f *projectFlags) register(cmd *cobra.Command, need migratecmd.Need) {
	fs := cmd.Flags()
	f.database.register(fs)
	f.actor.register(fs)
	if need.Manifest {
		fs.StringVar(&f.manifest, "manifest", "", "`FILE` that the application's Crypter.Manifest wrote (default fieldcrypt.json)")
	}
	if need.Keys {
		fs.StringArrayVar(&f.keks, "kek", nil, "`[DOMAIN=]URI` of a KMS key that wraps the keys of a domain, or of all; repeat it for several")
		annotateKEK(fs, kekOfDomains)
		fs.StringArrayVar(&f.from, "from", nil, "`[DOMAIN=]URI` of a KMS key that opens keys and wraps none")
	}
	if need.Change {
		fs.DurationVar(&f.maxAge, "max-age", defaultMaxAge,
			"`DURATION` for which an application may use keys that it read before:\nthe largest MaxStale plus CacheTTL of any")
	}
}

func (f *projectFlags) open(cmd *cobra.Command, need migratecmd.Need) (*migrate.Project, func(), error) {
	ctx, err := f.actor.context(cmd.Context())
	if err != nil {
		return nil, nil, err
	}
	p := &migrate.Project{Actor: keymgr.ActorFrom(ctx)}
	if need.Manifest {
		if p.Manifest, err = f.readManifest(); err != nil {
			return nil, nil, err
		}
	}
	var domains map[string]keymgr.Domain
	if need.Keys {
		if domains, err = f.domains(ctx, p.Manifest, need.Scope.Domain); err != nil {
			return nil, nil, err
		}
	}
	db, err := f.database.openProject(ctx)
	if err != nil {
		return nil, nil, err
	}
	p.DB = db.migrate
	if !need.Keys {
		return p, db.close, nil
	}
	store := sqlstore.New(db.keys)
	if need.Change {
		if err := matchDomain(ctx, store, need.Scope, domains); err != nil {
			db.close()
			return nil, nil, err
		}
	}
	age := changeFlags{maxAge: f.maxAge}
	cfg := keymgr.Config{
		Store: store, Domains: domains, Lazy: true, StoreTimeout: 10 * time.Second,
		Logger: slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	age.settings(&cfg)
	if p.Keys, err = keymgr.Open(ctx, cfg); err != nil {
		db.close()
		return nil, nil, err
	}
	p.Crypter = fieldcrypt.New(p.Keys, fieldcrypt.Config{})
	return p, func() { p.Keys.Close(); db.close() }, nil
}

// maxManifest bounds a file that is read as a manifest.
const maxManifest = 1 << 26

func (f *projectFlags) readManifest() (*fieldcrypt.Manifest, error) {
	name := cmp.Or(f.manifest, "fieldcrypt.json")
	file, err := os.Open(name)
	if err != nil {
		return nil, withCure(usage(err), "--manifest names the file that the application's Crypter.Manifest wrote")
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxManifest))
	if err != nil {
		return nil, usage(err)
	}
	m, err := fieldcrypt.ParseManifest(text)
	if err != nil {
		return nil, usage(fmt.Errorf("%s: %w", name, err))
	}
	return m, nil
}

// domains are the domains of the manifest with their KEKs. also is one more, whose
// keys are changed.
func (f *projectFlags) domains(ctx context.Context, m *fieldcrypt.Manifest, also string) (map[string]keymgr.Domain, error) {
	domains := map[string]keymgr.Domain{}
	for i := range m.Tables {
		for _, c := range m.Tables[i].Columns {
			domains[c.Domain] = keymgr.Domain{PerTenant: c.PerTenant}
		}
	}
	if _, there := domains[also]; also != "" && !there {
		return nil, usagef("no column of the manifest is of the domain %q", also)
	}
	pick := func(list []string, domain string) (uris []string) {
		for _, entry := range list {
			if of, uri := splitKEK(entry); of == "" || of == domain {
				uris = append(uris, uri)
			}
		}
		return uris
	}
	for _, entry := range slices.Concat(f.keks, f.from) {
		if of, _ := splitKEK(entry); of != "" {
			if err := (keymgr.Scope{Domain: of}).Validate(); err != nil {
				return nil, usagef("that is no KEK: want URI or DOMAIN=URI")
			}
		}
	}
	for name, d := range domains {
		var err error
		wrap := pick(f.keks, name)
		if len(wrap) == 0 {
			return nil, usagef("which KMS key wraps the keys of %s? Give --kek %s=URI, or name it in the configuration file", name, name)
		}
		if d.KEKs, err = openKEKs(ctx, wrap, false, io.Discard); err != nil {
			return nil, err
		}
		old, err := openKEKs(ctx, pick(f.from, name), false, io.Discard)
		if err != nil {
			return nil, err
		}
		d.DecryptOnly = without(old, d.KEKs)
		domains[name] = d
	}
	return domains, nil
}

// matchDomain refuses changes that would leave the scopes of a domain under other
// KEKs than before, and takes over how the KMS's log names tenants.
func matchDomain(ctx context.Context, store keymgr.Store, s keymgr.Scope, domains map[string]keymgr.Domain) error {
	d := domains[s.Domain]
	if !d.PerTenant && s.Tenant != "" {
		return usagef("the keys of %s are not per tenant", s.Domain)
	}
	scopes := []keymgr.Scope{s}
	if d.PerTenant && s.Tenant == "" {
		var err error
		if scopes, err = scopesOf(ctx, store, s.Domain); err != nil {
			return err
		}
	}
	for i, scope := range scopes {
		c := scopeChange{scope: scope, domain: d}
		var err error
		if c.record, err = store.Load(ctx, scope); err != nil {
			return err
		}
		if err := c.matchKEKs(); err != nil {
			return err
		}
		if i > 0 && c.domain.TenantContext != domains[s.Domain].TenantContext {
			return withCure(refusedError{fmt.Errorf("the scopes of %s name the tenant in the KMS's log in different ways", s.Domain)},
				"`fieldcrypt keys rewrap --tenant-context` makes them alike")
		}
		domains[s.Domain] = c.domain
	}
	return nil
}

// scopesOf lists the scopes of a domain.
func scopesOf(ctx context.Context, store keymgr.Store, domain string) (list []keymgr.Scope, err error) {
	for after := (keymgr.Scope{Domain: domain}); ; {
		page, err := store.Scopes(ctx, after, listPage)
		if err != nil {
			return nil, err
		}
		for _, s := range page {
			if s.Domain == domain {
				list = append(list, s)
			}
		}
		if len(page) < listPage || page[len(page)-1].Domain != domain {
			break
		}
		after = page[len(page)-1]
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: none of domain %q", keymgr.ErrScopeNotFound, domain)
	}
	return list, nil
}
