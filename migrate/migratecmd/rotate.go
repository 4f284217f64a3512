package migratecmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/migrate"
)

var rotateSteps = []migrate.Step{
	migrate.StepAdd, migrate.StepWait, migrate.StepPromote, migrate.StepSweep, migrate.StepGuard, migrate.StepVerify, migrate.StepDisable,
}

// rotateFlags are those of "rotate".
type rotateFlags struct {
	limits      limitFlags
	work        workFlags
	watch       watchFlags
	until       string
	keepGuards  bool
	resume      bool
	execute     bool
	stepOfUntil migrate.Step
}

func (f *rotateFlags) check(cmd *cobra.Command, args []string) error {
	_, scopeErr := oneScope(args)
	_, limitErr := f.limits.over(cmd, migrate.Limits{})
	_, workErr := f.work.options(nil)
	f.stepOfUntil = migrate.Step(f.until)
	var untilErr error
	if f.until != "" && !slices.Contains(rotateSteps, f.stepOfUntil) {
		untilErr = usagef("--until is one of %s", stepNames())
	}
	return errors.Join(scopeErr, limitErr, workErr, untilErr, f.watch.check())
}

func stepNames() string {
	names := make([]string, len(rotateSteps))
	for i, s := range rotateSteps {
		names[i] = string(s)
	}
	return strings.Join(names, ", ")
}

func (c commands) rotate() *cobra.Command {
	var f rotateFlags
	cmd := &cobra.Command{
		Use:   "rotate <domain>[/<tenant>]",
		Short: "Replace the seal keys of a domain by a new one: the whole road, online",
		Long: `Replace the seal keys of a domain, or of one tenant in it, by a new one:

  add      a pending key is added, which every application reads with
  wait     until every running application has it
  promote  it seals what is written from now on
  sweep    every row is sealed anew
  guard    the old keys are barred from the columns
  verify   every value is opened, and those of the old keys are counted: none
  disable  the old keys go out of use; "keys enable" undoes it

Without --execute it says where the rotation is, what comes next, and what the
sweep would do. It can be interrupted anywhere and goes on with the same command
and --resume, which begins no new rotation. The database stays in use meanwhile.
For a domain with keys per tenant it is all tenants, in one walk of each table.

` + limitHelp,
		Example: `  # where it is, and what would happen
  fieldcrypt rotate medical --config fieldcrypt.yaml

  # the whole road
  fieldcrypt rotate medical --execute --config fieldcrypt.yaml

  # go on with one that was interrupted, and begin none
  fieldcrypt rotate medical --resume --execute --config fieldcrypt.yaml`,
		PreRunE: f.check,
	}
	f.limits.register(cmd)
	f.work.register(cmd)
	f.watch.register(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.until, "until", "", "the last `STEP` to take: "+stepNames())
	fs.BoolVar(&f.keepGuards, "keep-guards", false, "leave the CHECKs in place that bar the old keys from the columns")
	fs.BoolVar(&f.resume, "resume", false, "only go on with a rotation that is under way")
	fs.BoolVar(&f.execute, "execute", false, "do it")
	_ = cmd.RegisterFlagCompletionFunc("until", cobra.FixedCompletions(strings.Split(stepNames(), ", "), cobra.ShellCompDirectiveNoFileComp))
	return c.scopeVerb(cmd, Need{Manifest: true, Keys: true, Change: true}, oneScope, func(ctx context.Context, p *migrate.Project, args []string) error {
		s, err := oneScope(args)
		if err != nil {
			return err
		}
		if err := knownTables(p, nil, s.Domain); err != nil {
			return err
		}
		state, err := p.Rotation(ctx, s)
		if err != nil {
			return err
		}
		switch {
		case f.resume && !underWay(state):
			return f.tell(cmd, state, "no rotation of %s is under way", s)
		case !f.execute:
			return f.dryRun(ctx, cmd, p, s, state)
		}
		return f.run(ctx, cmd, p, s)
	})
}

// underWay reports whether a rotation was begun and has not ended.
func underWay(s *migrate.RotateState) bool {
	return s.Step != migrate.StepDone
}

// tell prints a state as the result.
func (f *rotateFlags) tell(cmd *cobra.Command, s *migrate.RotateState, format string, args ...any) error {
	if f.watch.asJSON {
		printLine(cmd.OutOrStdout(), struct {
			Result *migrate.RotateState `json:"result"`
		}{s})
		return nil
	}
	sayf(cmd.OutOrStdout(), format, args...)
	return nil
}

func (f *rotateFlags) dryRun(ctx context.Context, cmd *cobra.Command, p *migrate.Project, s keymgr.Scope, state *migrate.RotateState) error {
	o := migrate.PlanOptions{Kind: migrate.KindReencrypt, Domain: s.Domain, Tenant: s.Tenant}
	plan, err := p.Plan(ctx, o)
	if err != nil {
		return err
	}
	if f.watch.asJSON {
		printLine(cmd.OutOrStdout(), struct {
			Result *migrate.RotateState `json:"result"`
			Plan   planView             `json:"plan"`
		}{state, viewPlan(plan)})
		return plan.Problems.Err()
	}
	out := cmd.OutOrStdout()
	if underWay(state) {
		printState(out, state)
	} else {
		sayf(out, "no rotation of %s is under way; --execute begins one", s)
	}
	printPlan(out, plan)
	if err := plan.Problems.Err(); err != nil {
		return err
	}
	sayf(cmd.ErrOrStderr(), dryRunNote)
	return nil
}

func (f *rotateFlags) run(ctx context.Context, cmd *cobra.Command, p *migrate.Project, s keymgr.Scope) error {
	limits, err := f.limits.over(cmd, migrate.Limits{})
	if err != nil {
		return err
	}
	work, err := f.work.options(p)
	if err != nil {
		return err
	}
	// No key is added for tables that would refuse the sweep.
	_, problems, err := p.DB.Catalogue().Check(ctx, p.Manifest, migrate.CheckOptions{})
	if err != nil {
		return err
	}
	if err := problems.Err(); err != nil {
		return err
	}
	w := f.watch.watch(ctx, cmd, p.DB)
	state, err := p.Rotate(ctx, s, migrate.RotateOptions{
		Until: f.stepOfUntil, Limits: limits, Work: work, KeepGuards: f.keepGuards, Progress: w.rotation(),
	})
	w.stop()
	if state == nil {
		return err
	}
	if f.until != "" && err == nil { // what comes next, in place of the last step
		now, err := p.Rotation(ctx, s)
		if err != nil {
			return err
		}
		now.Proofs = state.Proofs
		state = now
	}
	if f.watch.asJSON {
		_ = f.tell(cmd, state, "")
	} else {
		printState(cmd.OutOrStdout(), state)
	}
	if err != nil && (ctx.Err() != nil || ExitCode(err) == ExitIncomplete) {
		return advise(err, "to go on: %s %s --resume --execute", cmd.CommandPath(), s)
	}
	return err
}

// rotation tells of each step of a rotation, once, and then watches its jobs.
func (w *watcher) rotation() func(migrate.RotateState) {
	last := ""
	return func(s migrate.RotateState) {
		w.watchJobs(s.Jobs)
		text := stepText(&s)
		if text == last {
			return
		}
		last = text
		if w.asJSON {
			w.event(struct {
				Step migrate.RotateState `json:"step"`
			}{s})
			return
		}
		w.note("%s", text)
	}
}

func stepText(s *migrate.RotateState) string {
	text := fmt.Sprintf("%-8s %s", s.Step, s.Scope)
	if s.Waits != "" {
		return text + ": waiting: " + s.Waits
	}
	if s.Next != "" {
		return text + ": " + s.Next
	}
	return text
}

func printState(w io.Writer, s *migrate.RotateState) {
	sayf(w, "%s: %s", s.Scope, s.Step)
	if s.Key != 0 {
		sayf(w, "  new key   %d", s.Key)
	}
	for _, id := range s.Old {
		sayf(w, "  old key   %d", id)
	}
	for _, id := range s.Jobs {
		sayf(w, "  job       %s", id)
	}
	if s.Waits != "" {
		sayf(w, "  waiting   %s", s.Waits)
	}
	for _, proof := range s.Proofs {
		sayf(w, "  proof     %s key %d of %s: no value needs it (sha256:%s)", proof.Purpose, proof.KeyID, proof.Scope, proof.SHA256())
	}
	if s.Next != "" {
		sayf(w, "  next      %s", s.Next)
	}
}
