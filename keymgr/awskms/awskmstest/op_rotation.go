package awskmstest

import (
	"fmt"
	"slices"
	"time"
)

const (
	standardRotation     = 365 // days
	maxOnDemandRotations = 25
)

// rotation is when a key gets new material. What the old material has encrypted
// opens all the same.
type rotation struct {
	enabled bool
	period  int       // days; 0 before it was first enabled
	next    time.Time // while enabled
}

// catchUp rotates a key whose turn has come, more than once if the clock has
// jumped. Keys that are disabled or to be deleted wait.
func (r *rotation) catchUp(k *key, now time.Time) {
	if k.state != stateEnabled {
		return
	}
	for r.enabled && !now.Before(r.next) {
		k.rotate(r.next, false)
		r.next = r.next.AddDate(0, 0, r.period)
	}
}

// resume is for a key that was disabled: if its turn came meanwhile, it rotates
// now, once.
func (r *rotation) resume(k *key, now time.Time) {
	if r.enabled && !now.Before(r.next) {
		k.rotate(now, false)
		r.next = now.AddDate(0, 0, r.period)
	}
}

func (k *key) rotate(at time.Time, onDemand bool) {
	m := newMaterial()
	m.rotated, m.onDemand = at, onDemand
	k.materials = append(k.materials, m)
}

func (s *Server) enableKeyRotation(r *request) (any, error) {
	days := r.integer("RotationPeriodInDays", 90, 2560)
	k, err := s.rotatableKey(r)
	if err != nil {
		return nil, err
	}
	rot := &k.rotation
	period := standardRotation
	switch {
	case days != nil:
		period = *days
	case rot.enabled:
		period = rot.period
	}
	if !rot.enabled || period != rot.period {
		*rot = rotation{enabled: true, period: period, next: r.now.AddDate(0, 0, period)}
	}
	return nil, nil
}

func (s *Server) disableKeyRotation(r *request) (any, error) {
	k, err := s.rotatableKey(r)
	if err != nil {
		return nil, err
	}
	k.rotation.enabled, k.rotation.next = false, time.Time{}
	return nil, nil
}

func (s *Server) rotateKeyOnDemand(r *request) (any, error) {
	k, err := s.rotatableKey(r)
	if err != nil {
		return nil, err
	}
	n := 0
	for _, m := range k.materials {
		if m.onDemand {
			n++
		}
	}
	if n >= maxOnDemandRotations {
		return nil, fail("LimitExceededException", "The on-demand rotations limit has been reached for the given keyId. "+
			"No more on-demand rotations can be performed for this key: %s", k.arn)
	}
	k.rotate(r.now, true)
	return struct{ KeyId string }{k.arn}, nil
}

// rotatableKey finds the key whose rotation is to change.
func (s *Server) rotatableKey(r *request) (*key, error) {
	k, err := s.keyOfRequest(r)
	if err != nil {
		return nil, err
	}
	if err := k.enabled(); err != nil {
		return nil, err
	}
	if err := k.symmetric(); err != nil {
		return nil, err
	}
	if k.isReplica() {
		return nil, unsupported("%s is a replica key: rotation is a property of the primary key.", k.arn)
	}
	return k, nil
}

func (s *Server) getKeyRotationStatus(r *request) (any, error) {
	k, err := s.keyOfRequest(r)
	if err != nil {
		return nil, err
	}
	if err := k.symmetric(); err != nil {
		return nil, err
	}
	out := struct {
		KeyId                string
		KeyRotationEnabled   bool
		RotationPeriodInDays int       `json:",omitempty"`
		NextRotationDate     timestamp `json:",omitzero"`
	}{KeyId: k.arn}
	if k.rotation.enabled && k.notPending() == nil { // a key that is to be deleted does not rotate
		out.KeyRotationEnabled, out.RotationPeriodInDays, out.NextRotationDate = true, k.rotation.period, timestamp{k.rotation.next}
	}
	return out, nil
}

type rotationEntry struct {
	KeyId            string
	KeyMaterialId    string
	KeyMaterialState string    `json:",omitempty"`
	RotationDate     timestamp `json:",omitzero"`
	RotationType     string    `json:",omitempty"`
}

func (s *Server) listKeyRotations(r *request) (any, error) {
	which := r.enum("IncludeKeyMaterial", "ALL_KEY_MATERIAL", "ROTATIONS_ONLY")
	pg := r.page(100, 1000)
	k, err := s.keyOfRequest(r)
	if err != nil {
		return nil, err
	}
	if err := k.symmetric(); err != nil {
		return nil, err
	}
	var places []string // in k.materials
	for i, m := range k.materials {
		if which == "ALL_KEY_MATERIAL" || !m.rotated.IsZero() {
			places = append(places, fmt.Sprintf("%06d", i))
		}
	}
	places, next, err := pg.of(places)
	if err != nil {
		return nil, err
	}
	rotations := []rotationEntry{}
	for i, m := range k.materials {
		if slices.Contains(places, fmt.Sprintf("%06d", i)) {
			rotations = append(rotations, k.rotationEntry(m, which == "ALL_KEY_MATERIAL"))
		}
	}
	return struct {
		Rotations  []rotationEntry
		NextMarker string `json:",omitempty"`
		Truncated  bool
	}{rotations, next, next != ""}, nil
}

func (k *key) rotationEntry(m *material, all bool) rotationEntry {
	e := rotationEntry{KeyId: k.arn, KeyMaterialId: m.hexID(), RotationDate: timestamp{m.rotated}}
	switch {
	case m.rotated.IsZero():
	case m.onDemand:
		e.RotationType = "ON_DEMAND"
	default:
		e.RotationType = "AUTOMATIC"
	}
	if all {
		e.KeyMaterialState = "NON_CURRENT"
		if m == k.current() {
			e.KeyMaterialState = "CURRENT"
		}
	}
	return e
}
