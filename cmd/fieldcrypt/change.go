package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

// changeFlags are those of every command that changes a key of a scope.
type changeFlags struct {
	database databaseFlag
	keks     kekFlags
	actor    actorFlag
	maxAge   time.Duration
}

const changeHelp = `Every change encrypts the keysets anew under a new data key, so it needs all the
KEKs that wrap the scope now: name each with --kek. It is made as a whole or not
at all; if somebody else changes the scope at the same time, one of the two is
told so and can run the command again.`

func (f *changeFlags) register(cmd *cobra.Command) {
	f.database.register(cmd.Flags())
	f.keks.register(cmd.Flags(), "`URI` of a KMS key that wraps the scope; repeat it for several")
	annotateKEK(cmd.Flags(), kekOfScope)
	f.actor.register(cmd.Flags())
}

// registerMaxAge is for commands that wait for caches to end.
func (f *changeFlags) registerMaxAge(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&f.maxAge, "max-age", defaultMaxAge,
		"`DURATION` for which an application may use keys that it read before:\nthe largest MaxStale plus CacheTTL of any")
}

// keymgr's defaults.
const (
	defaultCacheTTL = 5 * time.Minute
	defaultMaxAge   = time.Hour + defaultCacheTTL
)

// settings puts the ages into a Config.
func (f *changeFlags) settings(cfg *keymgr.Config) {
	if f.maxAge > 0 {
		cfg.CacheTTL = min(defaultCacheTTL, f.maxAge/2)
		cfg.MaxStale = f.maxAge - cfg.CacheTTL
	}
}

// scopeChange is a scope that is about to be changed. Close it.
type scopeChange struct {
	cmd     *cobra.Command
	ctx     context.Context
	scope   keymgr.Scope
	db      *sql.DB
	store   *sqlstore.Store
	record  keymgr.Record // as it is stored: nothing has been opened
	domain  keymgr.Domain
	setting func(*keymgr.Config)
}

func (c *scopeChange) Close() { c.db.Close() }

// open reads the scope and finds what is wrong with the flags.
func (f *changeFlags) open(cmd *cobra.Command, scope string) (*scopeChange, error) {
	s, err := parseScope(scope)
	if err != nil {
		return nil, err
	}
	if cmd.Flags().Changed("max-age") && f.maxAge < 2 {
		return nil, usagef("--max-age must be positive: for how long do applications use keys that they read before?")
	}
	keks, err := f.keks.open(cmd.Context(), io.Discard)
	if err != nil {
		return nil, err
	}
	c, err := f.read(cmd, s)
	if err != nil {
		return nil, err
	}
	c.domain.KEKs = keks
	if err := c.matchKEKs(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// read reads the scope from the database.
func (f *changeFlags) read(cmd *cobra.Command, s keymgr.Scope) (*scopeChange, error) {
	ctx, err := f.actor.context(cmd.Context())
	if err != nil {
		return nil, err
	}
	db, err := f.database.open(ctx, false)
	if err != nil {
		return nil, err
	}
	c := &scopeChange{cmd: cmd, ctx: ctx, scope: s, db: db, store: sqlstore.New(db), setting: f.settings}
	if c.record, err = c.store.Load(ctx, s); err != nil {
		db.Close()
		return nil, err
	}
	return c, nil
}

// matchKEKs refuses a change that would leave the scope under other KEKs than
// before, or the names of tenants in the KMS's log in another form.
func (c *scopeChange) matchKEKs() error {
	given, wrapped := uris(c.domain.KEKs), []string(nil)
	c.domain.TenantContext = c.record.Wraps[0].TenantContext
	for _, w := range c.record.Wraps {
		wrapped = append(wrapped, w.KEKURI)
		if w.TenantContext != c.domain.TenantContext {
			return withCure(refusedError{fmt.Errorf("%s: its wraps name the tenant in different ways", c.scope)},
				"`fieldcrypt keys rewrap --tenant-context` makes them alike")
		}
	}
	slices.Sort(given)
	slices.Sort(wrapped)
	if !slices.Equal(given, wrapped) {
		return withCure(fmt.Errorf("%w: %s is wrapped under %s, and after this would be under %s", keymgr.ErrKEKNotAllowed,
			c.scope, strings.Join(wrapped, " "), strings.Join(given, " ")),
			"name each KEK of the scope with --kek; `fieldcrypt keys rewrap` changes them")
	}
	return nil
}

// manager returns the Manager that changes the scope: Close it.
func (c *scopeChange) manager() (*keymgr.Manager, error) {
	return openManager(c.ctx, c.store, c.scope, c.domain, c.cmd.ErrOrStderr(), c.setting)
}

// key finds a key of the scope by its id.
func (c *scopeChange) key(id uint32) (keymgr.Purpose, keymgr.KeyInfo, error) {
	for _, p := range []keymgr.Purpose{keymgr.Seal, keymgr.Index} {
		list, err := c.record.UnverifiedInfo(p)
		if err != nil {
			return "", keymgr.KeyInfo{}, fmt.Errorf("%s: %w", c.scope, err)
		}
		if i := slices.IndexFunc(list, func(k keymgr.KeyInfo) bool { return k.ID == id }); i >= 0 {
			return p, list[i], nil
		}
	}
	return "", keymgr.KeyInfo{}, fmt.Errorf("%w: %s has no key %d", keymgr.ErrUnknownKey, c.scope, id)
}

// say prints a line of what was done.
func (c *scopeChange) say(format string, args ...any) error {
	_, err := fmt.Fprintln(c.cmd.OutOrStdout(), plain(fmt.Sprintf(format, args...)))
	return err
}

// scopeAndKey is what the arguments of most changes are.
func scopeAndKey(args []string) (scope string, keyID uint32, err error) {
	if len(args) != 2 {
		return "", 0, usagef("which key? Name the scope and the key's id, as `fieldcrypt keys show` prints it")
	}
	text, base := args[1], 10
	if hex, ok := strings.CutPrefix(text, "0x"); ok {
		text, base = hex, 16 // as errors of applications print it
	}
	id, err := strconv.ParseUint(text, base, 32)
	if err != nil || id == 0 || id > math.MaxUint32 {
		return "", 0, usagef("%q is no key id: it is a number, as `fieldcrypt keys show` prints it, or 0x and eight hex digits", args[1])
	}
	return args[0], uint32(id), nil
}
