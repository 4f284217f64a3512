package drivertest

import (
	"errors"
	"fmt"
)

// leaks: after every operation, and every one that fails, the canary is in the
// caller's structs alone.
func (s *suite) leaks() {
	l := &leaks{suite: s, told: map[string]bool{}}
	l.people()
	l.residents()
	l.samples()
	l.refused()
	l.withoutKeys()
	if len(s.bytes()) == 0 || s.Log() == "" {
		s.Error("there is no database or no log to look at")
	}
}

// leaks looks for the canary after each step.
type leaks struct {
	*suite
	logged int             // bytes of the log that were looked at
	told   map[string]bool // where it was found: what is stored stays there
}

// after looks for the canary in an operation's error and in what is stored and
// logged by now. The operation must have gone well.
func (l *leaks) after(what string, err error) {
	l.Helper()
	if err != nil {
		l.Errorf("%s: %v", what, err)
	}
	l.look(what, err)
}

// afterFailing is after for an operation that must have failed.
func (l *leaks) afterFailing(what string, err error) {
	l.Helper()
	if err == nil {
		l.Errorf("%s: no error", what)
	}
	l.look(what, err)
}

func (l *leaks) look(what string, err error) {
	l.Helper()
	l.listen(what, err)
	l.search(what, "database", l.bytes())
}

// listen looks at what was said.
func (l *leaks) listen(what string, err error) {
	l.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		l.search(what, "error", fmt.Sprintf("%v\n%+v\n%#v\n%q", e, e, e, e))
	}
	log := l.Log()
	l.search(what, "log", log[min(l.logged, len(log)):])
	l.logged = len(log)
}

func (l *leaks) search(what, where, text string) {
	l.Helper()
	if form := FindCanary([]byte(text)); form != "" && !l.told[where+form] {
		l.told[where+form] = where == "database"
		l.Errorf("after %s the canary is in the %s: %s", what, where, form)
	}
}
