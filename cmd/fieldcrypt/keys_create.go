package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

// keysCreate holds the flags of "keys create".
type keysCreate struct {
	database      databaseFlag
	keks          kekFlags
	actor         actorFlag
	tenantContext string
	ifMissing     bool
}

func newKeysCreate() *cobra.Command {
	var c keysCreate
	cmd := &cobra.Command{
		Use:   "create <domain>[/<tenant>]...",
		Short: "Make the keysets of domains or tenants",
		Long: `Make the keysets of scopes: a domain, or one tenant of a domain with keys per
tenant. Each gets new random keys, wrapped under every --kek; any one of them
opens the scope. Nothing is made if one of the scopes exists.

The application's configuration lists the same KEKs for the domain.

` + kekHelp,
		Example: `  # a KMS key for each class of data, in the database that ` + databaseVariable + ` names
  fieldcrypt keys create medical --kek 'aws-kms:///alias/medical-key?region=eu-west-1'

  # two, either of which opens the scope
  fieldcrypt keys create finance \
    --kek 'aws-kms:///alias/finance-key?region=eu-west-1' \
    --kek 'aws-kms:///alias/recovery-key?region=eu-west-1'

  # keys per tenant, whose names are not for the KMS's log
  fieldcrypt keys create notes/acme notes/globex --tenant-context sha256 \
    --kek 'aws-kms:///alias/medical-key?region=eu-west-1'

  # development: SQLite and a key file
  fieldcrypt keys create medical finance --database sqlite:app.db \
    --kek local:app.key --create-key-file`,
		RunE: c.run,
	}
	c.database.register(cmd.Flags())
	c.keks.register(cmd.Flags(), "`URI` of a KMS key that wraps the keysets; repeat it for several")
	annotateKEK(cmd.Flags(), kekOfScope)
	c.keks.registerCreate(cmd.Flags())
	c.actor.register(cmd.Flags())
	cmd.Flags().StringVar(&c.tenantContext, "tenant-context", "plain", "how tenants appear in the KMS's log: plain or sha256")
	cmd.Flags().BoolVar(&c.ifMissing, "if-missing", false, "pass over scopes that exist")
	complete(cmd, "tenant-context", "plain", "sha256")
	return cmd
}

func (c *keysCreate) run(cmd *cobra.Command, args []string) error {
	scopes, err := parseScopes(args)
	if err != nil {
		return err
	}
	tc, err := parseTenantContext(c.tenantContext)
	if err != nil {
		return err
	}
	ctx, err := c.actor.context(cmd.Context())
	if err != nil {
		return err
	}
	if _, err := c.keks.planned(ctx); err != nil { // before the database is asked, and files are made
		return err
	}
	db, err := c.database.open(ctx, false)
	if err != nil {
		return err
	}
	defer db.Close()
	store := sqlstore.New(db)
	missing, there, err := sortByPresence(ctx, store, scopes)
	switch {
	case err != nil:
		return err
	case len(there) > 0 && !c.ifMissing:
		return fmt.Errorf("%w: %s", keymgr.ErrScopeExists, scopeList(there))
	}
	for _, s := range there {
		fmt.Fprintf(cmd.OutOrStdout(), "exists   %s\n", s)
	}
	if len(missing) == 0 {
		return nil
	}
	keks, err := c.keks.open(ctx, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	domain := keymgr.Domain{KEKs: keks, TenantContext: tc}
	for i, s := range missing {
		if err := createScope(ctx, cmd, store, s, domain); err != nil {
			if i > 0 {
				err = fmt.Errorf("%w (%d of %d scopes are made; --if-missing passes over them)", err, i, len(missing))
			}
			return err
		}
	}
	return nil
}

func createScope(ctx context.Context, cmd *cobra.Command, store keymgr.Store, s keymgr.Scope, domain keymgr.Domain) error {
	m, err := openManager(ctx, store, s, domain, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	defer m.Close()
	if err := m.Create(ctx, s); err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "created  %s\n", s)
	return err
}

// sortByPresence tells scopes that the store does not have from those that it has.
func sortByPresence(ctx context.Context, store keymgr.Store, scopes []keymgr.Scope) (missing, there []keymgr.Scope, err error) {
	for _, s := range scopes {
		switch _, err := store.Version(ctx, s); {
		case err == nil:
			there = append(there, s)
		case errors.Is(err, keymgr.ErrScopeNotFound):
			missing = append(missing, s)
		default:
			return nil, nil, err
		}
	}
	return missing, there, nil
}

func scopeList(scopes []keymgr.Scope) string {
	names := make([]string, len(scopes))
	for i, s := range scopes {
		names[i] = s.String()
	}
	return strings.Join(names, ", ")
}
