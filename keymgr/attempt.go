package keymgr

// maxReplicaWraps bounds the wraps under URIs of other regions that one KEK is
// asked to unwrap: who can write the table can plant any number.
const maxReplicaWraps = 4

// attempt is a try to unwrap a data key.
type attempt struct {
	kek    KEK
	wrap   Wrap
	answer *error // what the KMS said, if that was an error
	after  *error // another's answer: made only if that is ErrKEKNotAllowed; nil: made
}

// attempts lists what may open a record, in order: each allowed KEK with what
// is wrapped under its URI, or under those of which it is a [Replica] if there is
// nothing under its own. An alias that was moved to another KMS key answers
// that this one did not wrap it; then the other allowed KEKs of its KMS may, so
// that listing the old key itself in DecryptOnly is the way out. Every attempt
// pins the key that the configuration names.
func attempts(allowed []KEK, r Record) (list []attempt) {
	var moved []attempt
	for _, k := range allowed {
		w, ok := r.wrap(k.URI())
		if !ok {
			for _, w := range replicated(k, r) {
				list = append(list, attempt{kek: k, wrap: w, answer: new(error)})
			}
			continue
		}
		answer := new(error)
		list = append(list, attempt{kek: k, wrap: w, answer: answer})
		for _, other := range allowed {
			if o, ok := other.(Rewrapper); ok && other.URI() != k.URI() && o.CanRewrap(k) {
				moved = append(moved, attempt{kek: other, wrap: w, answer: new(error), after: answer})
			}
		}
	}
	return append(list, moved...)
}

// replicated are the wraps under KEKs of which k is a replica.
func replicated(k KEK, r Record) (wraps []Wrap) {
	replica, ok := k.(Replica)
	if !ok {
		return nil
	}
	for _, w := range r.Wraps {
		if replica.ReplicaOf(w.KEKURI) && len(wraps) < maxReplicaWraps {
			wraps = append(wraps, w)
		}
	}
	return wraps
}
