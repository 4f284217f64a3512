package awskmstest

import "time"

func (s *Server) enableKey(r *request) (any, error)  { return nil, s.setState(r, stateEnabled) }
func (s *Server) disableKey(r *request) (any, error) { return nil, s.setState(r, stateDisabled) }

func (s *Server) setState(r *request, state string) error {
	k, err := s.keyOfRequest(r)
	if err != nil {
		return err
	}
	if err := k.notPending(); err != nil {
		return err
	}
	if k.state == stateDisabled && state == stateEnabled && !k.isReplica() {
		k.rotation.resume(k, r.now)
	}
	k.state = state
	return nil
}

// keyOfRequest reads KeyId, for operations that take nothing else and no alias.
func (s *Server) keyOfRequest(r *request) (*key, error) {
	id := r.keyID("KeyId", true)
	if err := r.err(); err != nil {
		return nil, err
	}
	return s.keyOnly(r, id)
}

func (s *Server) scheduleKeyDeletion(r *request) (any, error) {
	days := 30
	if n := r.integer("PendingWindowInDays", 7, 30); n != nil {
		days = *n
	}
	k, err := s.keyOfRequest(r)
	if err != nil {
		return nil, err
	}
	if err := k.notPending(); err != nil {
		return nil, err
	}
	k.state, k.deletion, k.waiting = statePending, r.now.AddDate(0, 0, days), days
	if !k.isReplica() && len(k.replicas()) > 0 {
		k.state, k.deletion = statePendingReplica, time.Time{}
	}
	return struct {
		KeyId               string
		DeletionDate        timestamp `json:",omitzero"`
		KeyState            string
		PendingWindowInDays int
	}{k.arn, timestamp{k.deletion}, k.state, days}, nil
}

func (s *Server) cancelKeyDeletion(r *request) (any, error) {
	k, err := s.keyOfRequest(r)
	if err != nil {
		return nil, err
	}
	if k.notPending() == nil {
		return nil, fail("KMSInvalidStateException", "%s is not pending deletion.", k.arn)
	}
	k.state, k.deletion = stateDisabled, time.Time{}
	return struct{ KeyId string }{k.arn}, nil
}
