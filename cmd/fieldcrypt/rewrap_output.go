package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/fieldcrypt/go/keymgr"
)

// rewrapOutput tells how a re-wrap of many scopes goes on: by a bar where people
// look on, else by a line for each scope that is not as it was.
type rewrapOutput struct {
	out, err io.Writer
	asJSON   bool
	bar      *progressbar.ProgressBar // nil: lines

	mu    sync.Mutex
	total keymgr.RewrapReport
}

func newRewrapOutput(out, err io.Writer, asJSON bool, scopes int) *rewrapOutput {
	o := &rewrapOutput{out: out, err: err, asJSON: asJSON}
	if !asJSON && terminal(out) && terminal(err) {
		o.bar = progressbar.NewOptions(scopes, progressbar.OptionSetWriter(err), progressbar.OptionSetDescription("re-wrapping"),
			progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
	}
	return o
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// warnings is where to log to: a bar and log lines do not go together.
func (o *rewrapOutput) warnings() io.Writer {
	if o.bar != nil {
		return io.Discard
	}
	return o.err
}

// rewrapView is the JSON of one scope, for scripts: fields are added, never changed.
type rewrapView struct {
	Scope     string      `json:"scope"`
	Domain    string      `json:"domain"`
	Tenant    string      `json:"tenant,omitempty"`
	Version   uint64      `json:"version,omitempty"`
	Outcome   string      `json:"outcome"` // rewrapped, unchanged, planned, gone or failed
	From      []string    `json:"from,omitempty"`
	To        []string    `json:"to,omitempty"`
	Moved     []movedView `json:"moved_aliases,omitempty"`
	NotOpened bool        `json:"not_opened,omitempty"`
	Class     string      `json:"class,omitempty"`
	Problem   string      `json:"problem,omitempty"`
}

type movedView struct {
	KEK string `json:"kek"`
	Now string `json:"now,omitempty"`
}

// sumsView is the last line.
type sumsView struct {
	Scopes    int  `json:"scopes"`
	Rewrapped int  `json:"rewrapped"`
	Unchanged int  `json:"unchanged"`
	Planned   int  `json:"planned"`
	Gone      int  `json:"gone"`
	Failed    int  `json:"failed"`
	Moved     int  `json:"moved_aliases"`
	Conflicts int  `json:"conflicts"`
	KMSCalls  int  `json:"kms_calls"`
	NotOpened bool `json:"not_opened"`
	Complete  bool `json:"complete"` // every scope was looked at
}

func (o *rewrapOutput) scope(p keymgr.RewrapProgress) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.bar != nil {
		_ = o.bar.Add(1)
	}
	switch {
	case o.asJSON:
		v := rewrapView{
			Scope: p.Scope.String(), Domain: p.Scope.Domain, Tenant: p.Scope.Tenant, Version: p.Version, Outcome: string(p.Outcome),
			From: p.From, To: p.To, NotOpened: p.NotOpened, Class: p.Class,
		}
		for _, a := range p.Moved {
			v.Moved = append(v.Moved, movedView(a))
		}
		if p.Err != nil {
			v.Problem = p.Err.Error()
		}
		o.json(v)
	case p.Err != nil:
		o.clear()
		fmt.Fprintln(o.out, plain(fmt.Sprintf("%-9s  %s: %v", p.Outcome, p.Scope, p.Err)))
	case o.bar == nil && p.Outcome != keymgr.RewrapUnchanged:
		fmt.Fprintln(o.out, plain(fmt.Sprintf("%-9s  %s", p.Outcome, p.Scope)))
	}
}

func (o *rewrapOutput) json(v any) {
	e := json.NewEncoder(o.out)
	e.SetEscapeHTML(false)
	_ = e.Encode(v)
}

func (o *rewrapOutput) clear() {
	if o.bar != nil {
		_ = o.bar.Clear()
	}
}

func (o *rewrapOutput) interrupted() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.clear()
	fmt.Fprintln(o.err, "interrupted: the scopes under way are being finished; a second Ctrl-C ends at once")
}

func (o *rewrapOutput) add(r keymgr.RewrapReport) {
	t := &o.total
	t.Scopes += r.Scopes
	t.Rewrapped += r.Rewrapped
	t.Unchanged += r.Unchanged
	t.Planned += r.Planned
	t.Gone += r.Gone
	t.Failed += r.Failed
	t.Moved += r.Moved
	t.Conflicts += r.Conflicts
	t.KMSCalls += r.KMSCalls
}

// sum prints what came of it all. err is why not all of it was looked at, or that
// some of it has failed.
func (o *rewrapOutput) sum(opts keymgr.RewrapOptions, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.clear()
	t := o.total
	if o.asJSON {
		o.json(struct {
			Sums sumsView `json:"sums"`
		}{sumsView{
			t.Scopes, t.Rewrapped, t.Unchanged, t.Planned, t.Gone, t.Failed, t.Moved, t.Conflicts, t.KMSCalls,
			opts.WithoutOpening && t.Rewrapped > 0, err == nil || rewrapFailed(err),
		}})
		return
	}
	fmt.Fprintf(o.out, "%d scopes: %s\n", t.Scopes, countText(t, opts))
}

func (o *rewrapOutput) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.bar != nil {
		_ = o.bar.Finish()
	}
}
