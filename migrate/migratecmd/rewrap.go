package migratecmd

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/migrate"
)

// rewrap wraps the keysets of the manifest's domains under the project's KEKs, or
// says what that would do.
func rewrap(ctx context.Context, cmd *cobra.Command, p *migrate.Project, o keymgr.RewrapOptions, asJSON bool) error {
	o.KeepTenantContext = true
	out := cmd.OutOrStdout()
	o.Progress = func(r keymgr.RewrapProgress) {
		switch {
		case asJSON:
		case r.Err != nil:
			sayf(out, "%-9s  %s: %v", r.Outcome, r.Scope, r.Err)
		case r.Outcome != keymgr.RewrapUnchanged:
			sayf(out, "%-9s  %s", r.Outcome, r.Scope)
		}
	}
	job, r, err := p.Rewrap(ctx, o)
	if asJSON {
		return errors.Join(err, printJSON(out, struct {
			Job       string `json:"job,omitempty"`
			Scopes    int    `json:"scopes"`
			Rewrapped int    `json:"rewrapped"`
			Unchanged int    `json:"unchanged"`
			Planned   int    `json:"planned"`
			Gone      int    `json:"gone"`
			Failed    int    `json:"failed"`
			KMSCalls  int    `json:"kms_calls"`
		}{job, r.Scopes, r.Rewrapped, r.Unchanged, r.Planned, r.Gone, r.Failed, r.KMSCalls}))
	}
	sayf(out, "%s: %d rewrapped and verified, %d would be, %d unchanged, %d failed", plural(r.Scopes, "scope"), r.Rewrapped, r.Planned, r.Unchanged, r.Failed)
	return err
}
