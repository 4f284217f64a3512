package main

import (
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/sqlstore"
)

func newKeysShow() *cobra.Command {
	var (
		database databaseFlag
		check    verifyFlags
		asJSON   bool
	)
	cmd := &cobra.Command{
		Use:   "show <domain>[/<tenant>]",
		Short: "Show the keys of a scope with their states and ages",
		Long:  "Show the keys of a scope with their states and ages, and the KEKs that wrap them.\nNo key material is shown.\n\n" + verifyHelp,
		Example: `  fieldcrypt keys show medical
  fieldcrypt keys show notes/acme --json
  fieldcrypt keys show medical --verify --kek 'aws-kms:///alias/medical-key?region=eu-west-1'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			scopes, err := parseScopes(args)
			if err != nil {
				return err
			}
			keks, err := check.open(ctx)
			if err != nil {
				return err
			}
			db, err := database.open(ctx, false)
			if err != nil {
				return err
			}
			defer db.Close()
			v, problem := viewScope(ctx, sqlstore.New(db), scopes[0], keks)
			if v.Version == 0 { // nothing was read
				return problem
			}
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), v)
			} else {
				err = printScope(cmd.OutOrStdout(), v, time.Now())
				fmt.Fprint(cmd.ErrOrStderr(), check.note())
			}
			return cmp.Or(err, problem)
		},
	}
	database.register(cmd.Flags())
	check.register(cmd.Flags())
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printScope(w io.Writer, v scopeView, now time.Time) error {
	when := func(t time.Time) string { return fmt.Sprintf("%s (%s ago)", timeText(t), ageText(now.Sub(t))) }
	verified := "no"
	if v.Verified {
		verified = "yes: the keysets opened"
	}
	head := [][]string{
		{"scope", v.Scope},
		{"version", fmt.Sprint(v.Version)},
		{"verified", verified},
		{"created", when(v.CreatedAt)},
		{"changed", when(v.UpdatedAt)},
	}
	for i, k := range v.KEKs {
		label := "wrapped under"
		if i > 0 {
			label = ""
		}
		uri := k.URI
		if k.TenantContext != tenantContextName(keymgr.TenantPlain) {
			uri += " (tenant as " + k.TenantContext + ")"
		}
		head = append(head, []string{label, uri})
	}
	if err := table(w, head); err != nil {
		return err
	}
	rows := [][]string{{"KEY", "PURPOSE", "STATE", "AGE", "ADDED", "IN THIS STATE SINCE"}}
	for _, k := range v.Keys {
		rows = append(rows, []string{
			fmt.Sprint(k.ID), k.Purpose, k.State, ageText(now.Sub(k.CreatedAt)), timeText(k.CreatedAt), timeText(k.ChangedAt),
		})
	}
	fmt.Fprintln(w)
	return table(w, rows)
}
