package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

func newKeysList() *cobra.Command {
	var (
		database databaseFlag
		check    verifyFlags
		asJSON   bool
	)
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the scopes with their versions, keys and KEKs",
		Long:  "List the scopes with their versions, primary keys, numbers of keys by their\nstate, and KEKs.\n\n" + verifyHelp,
		Example: `  fieldcrypt keys list
  fieldcrypt keys list --json
  fieldcrypt keys list --verify --kek 'aws-kms:///alias/medical-key?region=eu-west-1'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			keks, err := check.open(ctx)
			if err != nil {
				return err
			}
			db, err := database.open(ctx, false)
			if err != nil {
				return err
			}
			defer db.Close()
			views, err := listScopes(ctx, sqlstore.New(db), keks)
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), views)
			} else {
				err = printScopes(cmd.OutOrStdout(), views)
				fmt.Fprint(cmd.ErrOrStderr(), check.note())
			}
			if err != nil {
				return err
			}
			return problemsOf(views)
		},
	}
	database.register(cmd.Flags())
	check.register(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// listPage is how many names of scopes are read at once.
const listPage = 500

func listScopes(ctx context.Context, store keymgr.Store, keks []keymgr.KEK) ([]scopeView, error) {
	views := []scopeView{}
	for after := (keymgr.Scope{}); ; {
		page, err := store.Scopes(ctx, after, listPage)
		if err != nil {
			return nil, err
		}
		for _, s := range page {
			v, err := viewScope(ctx, store, s, keks)
			switch {
			case errors.Is(err, keymgr.ErrScopeNotFound), errors.Is(err, keymgr.ErrScopeDestroyed): // meanwhile
			case mayPass(ctx, err):
				return nil, err // the others would fail as well
			default:
				views = append(views, v)
			}
		}
		if len(page) < listPage {
			return views, nil
		}
		after = page[len(page)-1]
	}
}

// viewScope reads one scope and opens it if there are KEKs to do that with. The
// view tells of the error too.
func viewScope(ctx context.Context, store keymgr.Store, s keymgr.Scope, keks []keymgr.KEK) (scopeView, error) {
	r, err := store.Load(ctx, s)
	v := scopeView{Scope: s.String(), Domain: s.Domain, Tenant: s.Tenant, KEKs: []kekView{}, Keys: []keyView{}}
	if err == nil {
		v, err = viewOf(r)
	}
	if err == nil && len(keks) > 0 {
		err = verify(ctx, r, keks)
		v.Verified = err == nil
	}
	if err != nil {
		v.Problem = err.Error()
	}
	return v, err
}

// mayPass reports whether an error is not about the scope that met it.
func mayPass(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, keymgr.ErrStoreUnavailable) || errors.Is(err, keymgr.ErrKMSUnavailable)
}

func printScopes(w io.Writer, views []scopeView) error {
	if len(views) == 0 {
		_, err := fmt.Fprintln(w, "no scopes")
		return err
	}
	rows := [][]string{{"SCOPE", "VERSION", "SEAL KEY", "INDEX KEY", "KEYS", "CHANGED", "VERIFIED", "WRAPPED UNDER"}}
	for _, v := range views {
		verified := "no"
		if v.Verified {
			verified = "yes"
		}
		rows = append(rows, []string{
			v.Scope, fmt.Sprint(v.Version), v.primary(keymgr.Seal), v.primary(keymgr.Index), v.states(),
			timeText(v.UpdatedAt), verified, v.kekURIs(),
		})
	}
	return table(w, rows)
}

// problemsOf is the error of a list that holds scopes with a problem.
func problemsOf(views []scopeView) error {
	var problems []error
	for _, v := range views {
		if v.Problem != "" {
			problems = append(problems, fmt.Errorf("%s: %s", v.Scope, v.Problem))
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return refusedError{fmt.Errorf("%d of %d scopes have a problem:\n%w", len(problems), len(views), errors.Join(problems...))}
}
