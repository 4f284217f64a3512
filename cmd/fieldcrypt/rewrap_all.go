package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fieldcrypt/go/keymgr"
)

// rewrapAllFlags are those of "keys rewrap --all".
type rewrapAllFlags struct {
	all         bool
	domains     []string
	concurrency int
	rate        float64
	asJSON      bool
}

func (f *rewrapAllFlags) register(fs *pflag.FlagSet) {
	fs.BoolVar(&f.all, "all", false, "re-wrap every scope in the database")
	fs.StringArrayVar(&f.domains, "domain", nil, "with --all: the scopes of this `DOMAIN` only; repeat it for several")
	fs.IntVar(&f.concurrency, "concurrency", 4, "with --all: scopes at a time")
	fs.Float64Var(&f.rate, "rate", 0, "with --all: KMS calls per second (default: no limit)")
	fs.BoolVar(&f.asJSON, "json", false, "with --all: print a line of JSON for each scope, and one with the sums")
}

// check refuses what would have no effect.
func (f *rewrapAllFlags) check(cmd *cobra.Command, args []string) error {
	for _, name := range []string{"domain", "concurrency", "rate", "json"} {
		if !f.all && cmd.Flags().Changed(name) {
			return usagef("--%s goes with --all", name)
		}
	}
	switch {
	case f.all && len(args) > 0:
		return usagef("scopes, or --all: not both (--domain takes those of a domain)")
	case f.concurrency < 1:
		return usagef("--concurrency is at least 1")
	case f.rate < 0:
		return usagef("--rate is not negative")
	}
	return nil
}

// runAll re-wraps all scopes: those of domains, then those of tenants, because a
// Manager takes a domain for the one or for the other.
func (c *keysRewrap) runAll(ctx context.Context, cmd *cobra.Command, store keymgr.Store, planned []string, from []keymgr.KEK, tc *keymgr.TenantContext) error {
	found, err := c.all.survey(ctx, store)
	if err != nil {
		return err
	}
	keks, err := c.keks(ctx, planned, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	o := c.options()
	o.Concurrency, o.Rate, o.KeepTenantContext = c.all.concurrency, c.all.rate, tc == nil
	d := keymgr.Domain{KEKs: keks, DecryptOnly: without(from, keks)}
	if tc != nil {
		d.TenantContext = *tc
	}
	out := newRewrapOutput(cmd.OutOrStdout(), cmd.ErrOrStderr(), c.all.asJSON, found.scopes)
	defer out.close()
	stop := context.AfterFunc(ctx, out.interrupted)
	defer stop()
	o.Progress = out.scope
	for _, perTenant := range []bool{false, true} {
		if len(found.domains[perTenant]) == 0 {
			continue
		}
		d.PerTenant = perTenant
		report, runErr := rewrapHalf(ctx, half{store, perTenant}, found.domains[perTenant], d, o, out.warnings())
		out.add(report)
		if runErr != nil {
			err = runErr
		}
		if runErr != nil && !rewrapFailed(runErr) {
			break
		}
	}
	out.sum(o, err)
	if err == nil && o.DryRun {
		fmt.Fprint(cmd.ErrOrStderr(), dryRunNote)
	}
	return err
}

func rewrapHalf(ctx context.Context, store keymgr.Store, domains map[string]bool, d keymgr.Domain, o keymgr.RewrapOptions, warnings io.Writer) (keymgr.RewrapReport, error) {
	cfg := keymgr.Config{
		Store: store, Domains: map[string]keymgr.Domain{}, Lazy: true,
		StoreTimeout: 10 * time.Second, // longer than an SQLite database may be busy
		Logger:       slog.New(slog.NewTextHandler(warnings, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	for name := range domains {
		cfg.Domains[name] = d
	}
	m, err := keymgr.Open(ctx, cfg)
	if err != nil {
		return keymgr.RewrapReport{}, err
	}
	defer m.Close()
	return m.RewrapAll(ctx, o)
}

// survey is which scopes there are: how many, and which domains have some that
// are a tenant's (true) or not (false).
type survey struct {
	scopes  int
	domains map[bool]map[string]bool
}

func (f *rewrapAllFlags) survey(ctx context.Context, store keymgr.Store) (survey, error) {
	found := survey{domains: map[bool]map[string]bool{false: {}, true: {}}}
	for after := (keymgr.Scope{}); ; {
		page, err := store.Scopes(ctx, after, listPage)
		if err != nil {
			return found, err
		}
		for _, s := range page {
			if len(f.domains) == 0 || slices.Contains(f.domains, s.Domain) {
				found.scopes++
				found.domains[s.Tenant != ""][s.Domain] = true
			}
		}
		if len(page) < listPage {
			break
		}
		after = page[len(page)-1]
	}
	known := maps.Clone(found.domains[false])
	maps.Copy(known, found.domains[true])
	for _, name := range f.domains {
		if !known[name] {
			return found, fmt.Errorf("%w: none of domain %q", keymgr.ErrScopeNotFound, name)
		}
	}
	return found, nil
}

// half lists either the scopes of tenants or the others.
type half struct {
	keymgr.Store
	tenants bool
}

func (h half) Scopes(ctx context.Context, after keymgr.Scope, limit int) (list []keymgr.Scope, err error) {
	for {
		page, err := h.Store.Scopes(ctx, after, limit)
		if err != nil {
			return nil, err
		}
		for _, s := range page {
			if (s.Tenant != "") == h.tenants && len(list) < limit {
				list = append(list, s)
			}
		}
		if len(page) < limit || len(list) == limit {
			return list, nil
		}
		after = page[len(page)-1]
	}
}

// without returns the KEKs of list that are not in others, each once: a KEK that
// wraps from now on opens too, and is not listed twice.
func without(list, others []keymgr.KEK) (rest []keymgr.KEK) {
	for _, k := range list {
		if !slices.Contains(uris(slices.Concat(others, rest)), k.URI()) {
			rest = append(rest, k)
		}
	}
	return rest
}

// countText is "3 rewrapped, 1 failed".
func countText(r keymgr.RewrapReport, o keymgr.RewrapOptions) string {
	done := "rewrapped and verified"
	if o.WithoutOpening {
		done = "rewrapped without opening them"
	}
	var parts []string
	for _, c := range []struct {
		n    int
		what string
	}{
		{r.Rewrapped, done}, {r.Planned, "would be rewrapped"}, {r.Unchanged, "unchanged"},
		{r.Gone, "gone meanwhile"}, {r.Failed, "failed"},
		{r.Moved, "wrapped by a key that the alias no longer named"},
	} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	return cmp.Or(strings.Join(parts, ", "), "nothing was looked at")
}
