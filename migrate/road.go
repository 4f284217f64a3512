package migrate

import (
	"fmt"
	"strings"
)

// Road is the way of a change that takes several stages, of which the migrator
// walks some and the application's deploys others. Where it is, is read from the
// database, the keys and the jobs: it can be interrupted anywhere, and any process
// can go on.
type Road struct {
	Kind     string   `json:"kind"`   // of the change, such as "adopt"
	Target   string   `json:"target"` // "table.column", as the manifest says it
	Stages   []Stage  `json:"stages"` // in order
	Problems Problems `json:"problems"`
}

// Stage is one stage of a road.
type Stage struct {
	Name  string     `json:"stage"`
	What  string     `json:"what"` // is done, in one line
	By    Who        `json:"by"`
	State StageState `json:"state"`
	Waits string     `json:"waits,omitempty"` // for what, or who must do what, in one line

	Statements []string   `json:"statements,omitempty"` // that it runs
	Rows       int64      `json:"rows,omitempty"`       // estimate of those it writes
	WAL        [2]int64   `json:"wal"`                  // bytes, from and to; Postgres alone
	Seconds    [2]float64 `json:"seconds"`              // by two workers without limits, from and to
	Job        string     `json:"job,omitempty"`        // that is under way
}

// Who takes a stage.
type Who string

// Who can.
const (
	ByMigrator    Who = "migrator"    // the call itself
	ByApplication Who = "application" // a deploy of the application, or its operator
)

// StageState says how far a stage is.
type StageState string

// The states of a stage. At most one is StageNow.
const (
	StageDone  StageState = "done"
	StageNow   StageState = "now" // under way, or the next to be taken
	StageLater StageState = "later"
)

// RoadOptions are for the calls that walk a road.
type RoadOptions struct {
	Until    string // the last stage that is taken; "": as far as it goes
	Limits   Limits // of jobs that are started
	Work     Options
	Progress func(Road) // told of every stage and of what it waits for
}

// Now is the stage that is under way or comes next; nil: the road is at its end.
func (r *Road) Now() *Stage {
	for i := range r.Stages {
		if r.Stages[i].State == StageNow {
			return &r.Stages[i]
		}
	}
	return nil
}

// String says it in one line.
func (r *Road) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: ", r.Kind, r.Target)
	s := r.Now()
	if s == nil {
		return b.String() + "done"
	}
	fmt.Fprintf(&b, "%s, by the %s: %s", s.Name, s.By, s.What)
	if s.Waits != "" {
		b.WriteString("; waiting: " + s.Waits)
	}
	return b.String()
}

// arrive marks all stages before a name as done, the one as now and the rest as
// later; no such name: all are done.
func (r *Road) arrive(name string) *Stage {
	state := StageDone
	var now *Stage
	for i := range r.Stages {
		s := &r.Stages[i]
		if s.Name == name && now == nil {
			now, state = s, StageLater
			s.State = StageNow
			continue
		}
		s.State = state
	}
	return now
}
