package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

// keysRewrap holds the flags of "keys rewrap".
type keysRewrap struct {
	database       databaseFlag
	to             kekFlags
	from           []string
	actor          actorFlag
	tenantContext  string
	withoutOpening bool
	force          bool
	execute        bool
	all            rewrapAllFlags
}

func newKeysRewrap() *cobra.Command {
	var c keysRewrap
	cmd := &cobra.Command{
		Use:   "rewrap (<domain>[/<tenant>]... | --all)",
		Short: "Wrap the keysets of scopes under other KMS keys",
		Long: `Wrap the data key of scopes under exactly the KEKs that --kek names, and under
none of those of before. No key and no row changes. Without --execute it prints
what it would do, and asks no KMS but about aliases: of scopes that are wrapped
under exactly these KEKs already and, with --all, of all scopes.

Each new wrap is unwrapped, and the keysets opened with it, before it replaces
the old ones. A scope that is wrapped under exactly these KEKs is passed over,
so after an interruption the same command does the rest. Where a KEK is an alias,
"wrapped under" means: by the key that the alias names now. If that is another
one than it was, name the old key by its ARN with --from.

With --all it goes over every scope in the database, or over those of each
--domain, several at a time. A scope that fails keeps its old wraps, and the
others go on. Ctrl-C finishes the scopes under way.

With --without-opening data keys move inside the KMS alone (ReEncrypt): for an
operator who may not open anything. Then nothing is known of what the new wraps
hold but that they authenticate.

Running applications open their keys anew every few minutes. Give all of them
the new KEK first, beside the old one, and take the old one away afterwards;
disable it in the KMS only then, and keep it as long as backups need it.

` + kekHelp,
		Example: `  # what would happen
  fieldcrypt keys rewrap medical \
    --from 'aws-kms:///alias/medical-key?region=eu-west-1' \
    --kek 'aws-kms:///alias/medical-key-2?region=eu-west-1'

  # do it
  fieldcrypt keys rewrap medical --execute \
    --from 'aws-kms:///alias/medical-key?region=eu-west-1' \
    --kek 'aws-kms:///alias/medical-key-2?region=eu-west-1'

  # every tenant of a domain, twenty calls a second, by who may only ReEncrypt
  fieldcrypt keys rewrap --all --domain medical --rate 20 --without-opening --execute \
    --from 'aws-kms:///alias/medical-key?region=eu-west-1' \
    --kek 'aws-kms:///alias/medical-key-2?region=eu-west-1'`,
		RunE: c.run,
	}
	flags := cmd.Flags()
	c.database.register(flags)
	c.to.register(flags, "`URI` of a KMS key to wrap under; repeat it for several")
	c.to.registerCreate(flags)
	flags.StringArrayVar(&c.from, "from", nil, "`URI` of a KMS key that opens the scopes now, if no --kek does; repeat it for several")
	c.actor.register(flags)
	flags.StringVar(&c.tenantContext, "tenant-context", "", "how tenants appear in the KMS's log from now on: plain or sha256 (default: as before)")
	flags.BoolVar(&c.withoutOpening, "without-opening", false, "move data keys inside the KMS alone")
	flags.BoolVar(&c.force, "force", false, "re-wrap what is wrapped under these KEKs too, as after a rotation inside the KMS")
	flags.BoolVar(&c.execute, "execute", false, "do it")
	c.all.register(flags)
	complete(cmd, "tenant-context", "plain", "sha256")
	return cmd
}

// options are those of a re-wrap that are the same for one scope and for all.
func (c *keysRewrap) options() keymgr.RewrapOptions {
	return keymgr.RewrapOptions{DryRun: !c.execute, WithoutOpening: c.withoutOpening, Force: c.force}
}

func (c *keysRewrap) run(cmd *cobra.Command, args []string) error {
	if err := c.all.check(cmd, args); err != nil {
		return err
	}
	var scopes []keymgr.Scope
	if !c.all.all {
		var err error
		if scopes, err = parseScopes(args); err != nil {
			return err
		}
	}
	ctx, err := c.actor.context(cmd.Context())
	if err != nil {
		return err
	}
	var tc *keymgr.TenantContext // nil: each scope's own
	if c.tenantContext != "" {
		given, err := parseTenantContext(c.tenantContext)
		if err != nil {
			return err
		}
		tc = &given
	}
	to, err := c.to.planned(ctx)
	if err != nil {
		return err
	}
	from, err := openKEKs(ctx, c.from, false, io.Discard)
	if err != nil {
		return err
	}
	db, err := c.database.open(ctx, false)
	if err != nil {
		return err
	}
	defer db.Close()
	store := sqlstore.New(db)
	if c.all.all {
		return c.runAll(ctx, cmd, store, to, from, tc)
	}
	moves, err := planMoves(ctx, store, scopes, to, from, tc)
	if err != nil {
		return err
	}
	keks, err := c.keks(ctx, to, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	for _, m := range moves {
		m.to = uris(keks)
		res := keymgr.RewrapResult{Outcome: keymgr.RewrapPlanned}
		if c.execute || m.settled() {
			if res, err = m.run(ctx, store, keks, from, c.options(), cmd.ErrOrStderr()); err != nil {
				return err
			}
		}
		m.print(cmd.OutOrStdout(), res)
	}
	if !c.execute {
		fmt.Fprint(cmd.ErrOrStderr(), dryRunNote)
	}
	return nil
}

const dryRunNote = "dry run: nothing was changed. Once every running application lists the new KEKs, add --execute\n"

// keks opens the KEKs to wrap under. For a dry run, those whose key file is yet to
// be made are names alone.
func (c *keysRewrap) keks(ctx context.Context, planned []string, notes io.Writer) ([]keymgr.KEK, error) {
	if c.execute {
		return c.to.open(ctx, notes)
	}
	var keks []keymgr.KEK
	for i, uri := range c.to.uris {
		k, err := openKEK(ctx, uri, false, io.Discard)
		if err != nil {
			k = plannedKEK(planned[i])
		}
		keks = append(keks, k)
	}
	return keks, nil
}

// plannedKEK is a key that is yet to be made. A dry run does not call it.
type plannedKEK string

func (k plannedKEK) URI() string { return string(k) }

func (k plannedKEK) GenerateDataKey(context.Context, keymgr.WrapContext) (plaintext, wrapped []byte, err error) {
	return nil, nil, k.missing()
}

func (k plannedKEK) Wrap(context.Context, []byte, keymgr.WrapContext) ([]byte, error) {
	return nil, k.missing()
}

func (k plannedKEK) Unwrap(context.Context, []byte, keymgr.WrapContext) ([]byte, error) {
	return nil, k.missing()
}

func (k plannedKEK) missing() error {
	return fmt.Errorf("%w: %s is not made yet", keymgr.ErrKMSUnavailable, string(k))
}
