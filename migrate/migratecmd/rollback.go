package migratecmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/migrate"
)

func (c commands) rollback() *cobra.Command {
	var (
		limits  limitFlags
		execute bool
	)
	cmd := &cobra.Command{
		Use:   "rollback <domain>[/<tenant>] <key-id>",
		Short: "Go back to an old seal key, and start the jobs that lead the rows back",
		Long: `Go back to an old seal key: cancel the live jobs that lead rows away from it, make
it the primary again once every application has it, and start jobs that seal anew
what names another key, for "migrate work". Nothing is lost meanwhile: rows of
both keys are read. A key that was disabled needs "keys enable" first; one that
was destroyed is gone.
Without --execute it says what it would do.

` + limitHelp,
		Example: "  fieldcrypt migrate rollback medical " + exampleKey + " --config fieldcrypt.yaml\n" +
			"  fieldcrypt migrate rollback medical " + exampleKey + " --execute --config fieldcrypt.yaml",
	}
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		_, scopeErr := scopeOfKey(args)
		_, limitErr := limits.over(cmd, migrate.Limits{})
		return errors.Join(scopeErr, limitErr)
	}
	limits.register(cmd)
	cmd.Flags().BoolVar(&execute, "execute", false, "do it")
	return c.scopeVerb(cmd, Need{Manifest: true, Keys: true, Change: true}, scopeOfKey, func(ctx context.Context, p *migrate.Project, args []string) error {
		s, err := scopeOfKey(args)
		if err != nil {
			return err
		}
		id, err := parseKey(args[1])
		if err != nil {
			return err
		}
		if err := knownTables(p, nil, s.Domain); err != nil {
			return err
		}
		back, err := findWayBack(ctx, p, s, id)
		if err != nil {
			return err
		}
		if !execute {
			back.print(cmd)
			sayf(cmd.ErrOrStderr(), dryRunNote)
			return nil
		}
		l, err := limits.over(cmd, migrate.Limits{})
		if err != nil {
			return err
		}
		return back.run(ctx, cmd, p, l)
	})
}

// wayBack is what a rollback does.
type wayBack struct {
	scope   keymgr.Scope
	key     uint32
	primary uint32
	jobs    []*migrate.Job // to cancel
}

func findWayBack(ctx context.Context, p *migrate.Project, s keymgr.Scope, id uint32) (*wayBack, error) {
	keys, err := p.Keys.Keys(ctx, s)
	if err != nil {
		return nil, err
	}
	list := keys.Info(keymgr.Seal)
	i := slices.IndexFunc(list, func(k keymgr.KeyInfo) bool { return k.ID == id })
	if i < 0 {
		return nil, fmt.Errorf("%w: %s has no seal key %d", keymgr.ErrUnknownKey, s, id)
	}
	switch list[i].State {
	case keymgr.StateActive, keymgr.StatePrimary:
	case keymgr.StateDisabled:
		return nil, advise(fmt.Errorf("%w: seal key %d of %s is disabled", keymgr.ErrKeyState, id, s), "`keys enable` makes it read again; then run this again")
	default:
		return nil, fmt.Errorf("%w: seal key %d of %s is %s: there is no way back to it", keymgr.ErrKeyState, id, s, list[i].State)
	}
	back := &wayBack{scope: s, key: id, primary: keys.Primary().ID()}
	if back.primary == id {
		return back, nil // what is left is to lead the rows back
	}
	ids, err := migrate.List(ctx, p.DB, true)
	if err != nil {
		return nil, err
	}
	for _, job := range ids {
		j, err := migrate.Load(ctx, p.DB, job)
		if err != nil {
			return nil, err
		}
		if leadsAway(p, j, s.Domain) {
			back.jobs = append(back.jobs, j)
		}
	}
	return back, nil
}

// leadsAway reports whether a job is one of a rotation of the domain.
func leadsAway(p *migrate.Project, j *migrate.Job, domain string) bool {
	if j.Spec.Kind != migrate.KindReencrypt && j.Spec.Kind != migrate.KindRetire {
		return false
	}
	var of struct {
		Table  string `json:"table"`
		Domain string `json:"domain"`
	}
	if json.Unmarshal(j.Spec.Params, &of) != nil {
		return false // not of a project
	}
	t := p.Manifest.Table(of.Table)
	return t != nil && slices.Contains(t.Domains(), domain) && (of.Domain == "" || of.Domain == domain)
}

func (b *wayBack) print(cmd *cobra.Command) {
	out := cmd.OutOrStdout()
	for _, j := range b.jobs {
		sayf(out, "cancel   job %s, %s %s", j.ID, j.Spec.Kind, j.Target)
	}
	if b.primary != b.key {
		sayf(out, "promote  %s: seal key %d in place of %d", b.scope, b.key, b.primary)
	}
	sayf(out, "remove   the CHECKs that bar seal key %d, if there are some", b.key)
	sayf(out, "start    jobs that seal anew what names another key than %d", b.key)
}

func (b *wayBack) run(ctx context.Context, cmd *cobra.Command, p *migrate.Project, limits migrate.Limits) error {
	out := cmd.OutOrStdout()
	if b.primary != b.key {
		last := ""
		err := p.Keys.WaitPromotable(ctx, b.scope, keymgr.Seal, b.key, func(status keymgr.PromoteStatus) {
			if text := status.String(); !status.Ready && text != last {
				last = text
				sayf(cmd.ErrOrStderr(), "waiting: %s", text)
			}
		})
		if err != nil {
			return err
		}
	}
	for _, j := range b.jobs {
		if err := migrate.Cancel(ctx, p.DB, j.ID, p.Actor); err != nil && !errors.Is(err, migrate.ErrWrongPhase) {
			return err
		}
		sayf(out, "cancelled  %s", j.ID)
	}
	if err := p.DropGuards(ctx, b.scope, keymgr.Seal, b.key); err != nil { // or nobody could write with it
		return err
	}
	if b.primary != b.key {
		if err := p.Keys.PromoteKey(ctx, b.scope, keymgr.Seal, b.key); err != nil {
			return err
		}
		sayf(out, "promoted   %s: seal key %d", b.scope, b.key)
	}
	plan, err := p.Plan(ctx, migrate.PlanOptions{Kind: migrate.KindReencrypt, Domain: b.scope.Domain, Tenant: b.scope.Tenant})
	if err != nil {
		return err
	}
	ids, err := p.Start(ctx, plan, limits)
	if err != nil {
		return err
	}
	for i, id := range ids {
		sayf(out, "started    %s  %s %s", id, plan.Kind, plan.Tables[i].Table)
	}
	if len(ids) > 0 {
		sayf(cmd.ErrOrStderr(), "`%s work %s` does it, here and in as many processes as you like", parentPath(cmd), strings.Join(ids, " "))
	}
	return nil
}
