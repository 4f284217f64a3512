package awskmstest

import (
	"context"
	"sync"
	"time"
)

// faults is what is broken at the moment.
type faults struct {
	denied   map[string]bool // by key id
	throttle float64         // fraction of calls
	debt     float64         // of throttling, in calls: at 1 a call is throttled
	scripted []*apiError     // answers to the next calls
	latency  time.Duration
	hang     *hang
}

type hang struct {
	arrived  chan string
	released chan struct{}
	once     sync.Once
}

func (h *hang) release() { h.once.Do(func() { close(h.released) }) }

// Deny refuses every operation on a key, named by its id, ARN or alias, with
// AccessDeniedException, as an explicit deny in its policy does. An alias names
// the key that it points to now. Deny panics if there is no such key.
func (s *Server) Deny(key string) { s.setDenied(key, true) }

// Allow ends Deny.
func (s *Server) Allow(key string) { s.setDenied(key, false) }

func (s *Server) setDenied(id string, denied bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.lookup(id)
	if err != nil {
		panic("awskmstest: " + err.Error())
	}
	if s.faults.denied == nil {
		s.faults.denied = map[string]bool{}
	}
	s.faults.denied[k.id] = denied
}

// Throttle answers a fraction of the calls, 0 to 1, with ThrottlingException.
// Which ones is not random: 0.5 is every second call, 1 is every call.
func (s *Server) Throttle(fraction float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.throttle, s.faults.debt = fraction, 0
}

// Fail answers the next n calls with an error code and an HTTP status, for
// example ("KMSInternalException", 500), before their signature is looked at.
// Several Fails queue up.
func (s *Server) Fail(n int, code string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.faults.scripted = append(s.faults.scripted, &apiError{code: code, status: status, message: "Failed on demand."})
	}
}

// Hang accepts calls and does not answer them until release is called; then it
// answers those that are still there. Each call that hangs sends the name of its
// operation to arrived. Close, Down and a client that goes away end the wait.
func (s *Server) Hang() (arrived <-chan string, release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.hang == nil {
		s.faults.hang = &hang{arrived: make(chan string, 1024), released: make(chan struct{})}
	}
	h := s.faults.hang
	return h.arrived, func() {
		h.release()
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.faults.hang == h {
			s.faults.hang = nil
		}
	}
}

// Down resets all connections, open and new, until Up. The address stays.
func (s *Server) Down() {
	s.listener.setDown(true)
	s.transport.CloseIdleConnections()
}

// Up ends Down.
func (s *Server) Up() { s.listener.setDown(false) }

// SetLatency makes every answer wait.
func (s *Server) SetLatency(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.latency = d
}

// Recover ends everything that Deny, Throttle, Fail, Hang, Down, SetLatency and
// ExpireCredentials have begun. Keys and their states stay.
func (s *Server) Recover() {
	s.Up()
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.faults.hang; h != nil {
		h.release()
	}
	s.faults = faults{}
	for _, u := range s.users {
		u.expired = false
	}
}

// delay holds a call while the server hangs or is slow. It reports false if
// there is nobody left to answer.
func (s *Server) delay(ctx context.Context, operation string) bool {
	s.mu.Lock()
	h, latency := s.faults.hang, s.faults.latency
	s.mu.Unlock()
	if h != nil {
		select {
		case h.arrived <- operation:
		default: // nobody has read the last 1,024
		}
		select {
		case <-h.released:
		case <-ctx.Done():
			return false
		case <-s.done:
			return false
		}
	}
	if latency > 0 {
		timer := time.NewTimer(latency)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return false
		case <-s.done:
			return false
		}
	}
	return true
}

// next takes the next answer of Fail, if there is one.
func (f *faults) next() *apiError {
	if len(f.scripted) == 0 {
		return nil
	}
	e := f.scripted[0]
	f.scripted = f.scripted[1:]
	return e
}

// throttled reports whether this call is one too many.
func (f *faults) throttled() bool {
	f.debt += f.throttle
	if f.debt < 1-1e-9 { // ten tenths make one
		return false
	}
	f.debt--
	return true
}
