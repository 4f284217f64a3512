package migratecmd

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/fieldcrypt/go/migrate"
)

// watchFlags say how the progress of work is told.
type watchFlags struct {
	asJSON bool
	every  time.Duration
}

func (f *watchFlags) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print lines of JSON: progress, and at last the result")
	cmd.Flags().DurationVar(&f.every, "every", 10*time.Second, "tell the progress so often, where there is no terminal")
}

func (f *watchFlags) check() error {
	if f.every < time.Millisecond {
		return usagef("--every is at least 1ms")
	}
	return nil
}

// watcher tells how jobs go on while they are worked on: by bars where people look
// on, else by lines.
type watcher struct {
	ctx      context.Context
	db       *migrate.DB
	out, err io.Writer
	asJSON   bool
	bars     bool
	done     chan struct{}
	ended    sync.WaitGroup
	unhook   func() bool

	mu     sync.Mutex
	jobs   []string
	meters map[string]*meter
	lines  int // of bars on the screen
	last   map[string]string
}

// watch begins to tell of jobs, until stop. It goes on when ctx ends: what is at
// hand is being finished then.
func (f *watchFlags) watch(ctx context.Context, cmd *cobra.Command, db *migrate.DB, jobs ...string) *watcher {
	w := &watcher{
		ctx: context.WithoutCancel(ctx), db: db, out: cmd.OutOrStdout(), err: cmd.ErrOrStderr(), asJSON: f.asJSON,
		done: make(chan struct{}), jobs: jobs, meters: map[string]*meter{}, last: map[string]string{},
	}
	w.bars = !f.asJSON && isTerminal(w.out) && isTerminal(w.err)
	every := f.every
	if w.bars {
		every = 500 * time.Millisecond
	}
	w.unhook = context.AfterFunc(ctx, func() {
		w.note("interrupted: the batches at hand are being finished; a second Ctrl-C ends at once")
	})
	w.ended.Go(func() { w.loop(every) })
	return w
}

func (w *watcher) loop(every time.Duration) {
	w.look() // the rates need a beginning
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-w.done:
			return
		case <-tick.C:
			w.look()
		}
	}
}

// watchJobs tells of these jobs from now on.
func (w *watcher) watchJobs(jobs []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.jobs = slices.Clone(jobs)
}

// note prints a line for people, above the bars.
func (w *watcher) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clear()
	sayf(w.err, format, args...)
}

// event prints a line of JSON, if that is asked for.
func (w *watcher) event(v any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.asJSON {
		printLine(w.out, v)
	}
}

// stop ends the telling and takes the bars away.
func (w *watcher) stop() {
	w.unhook()
	close(w.done)
	w.ended.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clear()
}

func (w *watcher) clear() {
	if w.lines > 0 {
		fmt.Fprintf(w.err, "\x1b[%dA\x1b[J", w.lines)
		w.lines = 0
	}
}

// look reads the jobs and tells of them. A database that does not answer is the
// business of the work itself.
func (w *watcher) look() {
	w.mu.Lock()
	jobs := w.jobs
	w.mu.Unlock()
	var list []progress
	for _, id := range jobs {
		ctx, cancel := context.WithTimeout(w.ctx, 5*time.Second)
		s, err := migrate.Read(ctx, w.db, id)
		cancel()
		if err != nil {
			return
		}
		m := w.meters[id]
		if m == nil {
			m = &meter{}
			w.meters[id] = m
		}
		m.add(time.Now(), s.Scanned)
		list = append(list, progressOf(s, m))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clear()
	for _, p := range list {
		switch {
		case w.bars:
			fmt.Fprintln(w.err, p.bar(width(w.err)))
			w.lines++
		case w.asJSON:
			printLine(w.out, struct {
				Progress progress `json:"progress"`
			}{p})
		case w.last[p.Job] != p.line():
			w.last[p.Job] = p.line()
			sayf(w.err, "%s %s: %s", p.Kind, p.Table, p.line())
		}
	}
}
