package migratecmd

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/migrate"
)

// roadVerb is a command that walks a road: the dry run prints it, --execute goes on
// with it.
type roadVerb struct {
	need   Need
	stages []string // that --until takes
	// check refuses arguments that cannot work.
	check func(args []string) error
	plan  func(ctx context.Context, p *migrate.Project, args []string) (*migrate.Road, error)
	walk  func(ctx context.Context, p *migrate.Project, args []string, o migrate.RoadOptions) (*migrate.Road, error)
	// confirm, which may be nil, asks the operator before anything is done.
	confirm func(cmd *cobra.Command, road *migrate.Road) error
}

// roadFlags are those of a command that walks a road.
type roadFlags struct {
	limits  limitFlags
	work    workFlags
	watch   watchFlags
	until   string
	execute bool
}

// road makes the command of a verb.
func (c commands) road(cmd *cobra.Command, v roadVerb) *cobra.Command {
	var f roadFlags
	f.limits.register(cmd)
	f.work.register(cmd)
	f.watch.register(cmd)
	fs := cmd.Flags()
	names := strings.Join(v.stages, ", ")
	fs.StringVar(&f.until, "until", "", "the last `STAGE` to take: "+names)
	fs.BoolVar(&f.execute, "execute", false, "do it")
	_ = cmd.RegisterFlagCompletionFunc("until", cobra.FixedCompletions(v.stages, cobra.ShellCompDirectiveNoFileComp))
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		_, limitErr := f.limits.over(cmd, migrate.Limits{})
		_, workErr := f.work.options(nil)
		var untilErr error
		if f.until != "" && !slices.Contains(v.stages, f.until) {
			untilErr = usagef("--until is one of %s", names)
		}
		return errors.Join(v.check(args), limitErr, workErr, untilErr, f.watch.check())
	}
	return c.verb(cmd, v.need, func(ctx context.Context, p *migrate.Project, args []string) error {
		road, err := v.plan(ctx, p, args)
		if err != nil {
			return err
		}
		if !f.execute {
			f.tell(cmd.OutOrStdout(), road)
			if err := road.Problems.Err(); err != nil {
				return err
			}
			sayf(cmd.ErrOrStderr(), dryRunNote)
			return nil
		}
		if err := road.Problems.Err(); err != nil {
			printProblems(cmd.ErrOrStderr(), road.Problems)
			return err
		}
		if v.confirm != nil {
			if err := v.confirm(cmd, road); err != nil {
				return err
			}
		}
		return f.run(ctx, cmd, p, v, args)
	})
}

func (f *roadFlags) run(ctx context.Context, cmd *cobra.Command, p *migrate.Project, v roadVerb, args []string) error {
	limits, err := f.limits.over(cmd, migrate.Limits{})
	if err != nil {
		return err
	}
	work, err := f.work.options(p)
	if err != nil {
		return err
	}
	w := f.watch.watch(ctx, cmd, p.DB)
	road, err := v.walk(ctx, p, args, migrate.RoadOptions{Until: f.until, Limits: limits, Work: work, Progress: w.road()})
	w.stop()
	if road != nil {
		f.tell(cmd.OutOrStdout(), road)
	}
	if err != nil && (ctx.Err() != nil || ExitCode(err) == ExitIncomplete) {
		return advise(err, "to go on: %s %s --execute", cmd.CommandPath(), strings.Join(args, " "))
	}
	return err
}

// tell prints where a road is.
func (f *roadFlags) tell(w io.Writer, r *migrate.Road) {
	if f.watch.asJSON {
		printLine(w, struct {
			Result roadView `json:"result"`
		}{viewRoad(r)})
		return
	}
	printRoad(w, r)
}

// roadView is the JSON of a road, for scripts.
type roadView struct {
	Kind     string          `json:"kind"`
	Target   string          `json:"target"`
	Stages   []migrate.Stage `json:"stages"`
	Problems []problemView   `json:"problems"`
}

func viewRoad(r *migrate.Road) roadView {
	return roadView{r.Kind, r.Target, r.Stages, viewProblems(r.Problems)}
}

// road tells of each stage, once, and then watches its job.
func (w *watcher) road() func(migrate.Road) {
	last := ""
	return func(r migrate.Road) {
		if s := r.Now(); s != nil && s.Job != "" {
			w.watchJobs([]string{s.Job})
		} else {
			w.watchJobs(nil)
		}
		text := r.String()
		if text == last {
			return
		}
		last = text
		if w.asJSON {
			w.event(struct {
				Stage *migrate.Stage `json:"stage"`
			}{r.Now()})
			return
		}
		w.note("%s", text)
	}
}

func printRoad(w io.Writer, r *migrate.Road) {
	sayf(w, "%s %s", r.Kind, r.Target)
	marks := map[migrate.StageState]string{migrate.StageDone: "done", migrate.StageNow: "now ", migrate.StageLater: "    "}
	for _, s := range r.Stages {
		who := ""
		if s.By == migrate.ByApplication {
			who = " (you)"
		}
		sayf(w, "  %s  %-12s %s%s", marks[s.State], s.Name, s.What, who)
		if s.State == migrate.StageDone {
			continue
		}
		if s.Waits != "" {
			sayf(w, "                     waiting: %s", s.Waits)
		}
		if s.Job != "" {
			sayf(w, "                     job %s", s.Job)
		}
		if s.Seconds[1] > 0 {
			seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
			sayf(w, "                     ~%s rows, %s to %s of WAL, %s", countText(s.Rows), bytesText(s.WAL[0]), bytesText(s.WAL[1]),
				rangeText(seconds(s.Seconds[0]), seconds(s.Seconds[1])))
		}
		for _, sql := range s.Statements {
			sayf(w, "                     SQL  %s", strings.Join(strings.Fields(sql), " "))
		}
	}
	printProblems(w, r.Problems)
}
