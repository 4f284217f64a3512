package awskmstest

import (
	"maps"
	"slices"
	"time"
)

// Call is one call as CloudTrail would show it, and also calls that CloudTrail
// leaves out because their signature was refused. It holds no plaintext, no
// ciphertext and no secret.
type Call struct {
	Time        time.Time
	RequestID   string
	Operation   string // "GenerateDataKey"
	AccessKeyID string
	Principal   string // ARN of the caller; "" if the signature was refused

	// KeyARN is the key that the call is about, also where the caller named an
	// alias; "" if there was none or it was not found. For ReEncrypt it is the
	// destination, and SourceKeyARN the source.
	KeyARN       string
	SourceKeyARN string
	// EncryptionContext is what the caller sent, nil if nothing.
	EncryptionContext       map[string]string
	SourceEncryptionContext map[string]string // of ReEncrypt

	// ErrorCode is "" for success.
	ErrorCode string
}

// Calls returns the calls that were answered since the start or the last
// ResetCalls, in the order of the answers. What the server's own methods do,
// CreateKey for example, is not a call.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls := slices.Clone(s.calls)
	for i := range calls {
		calls[i].EncryptionContext = maps.Clone(calls[i].EncryptionContext)
		calls[i].SourceEncryptionContext = maps.Clone(calls[i].SourceEncryptionContext)
	}
	return calls
}

// ResetCalls forgets the calls.
func (s *Server) ResetCalls() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = nil
}

// Count returns how many calls of the named operations were answered, with or
// without success, since the start or the last ResetCalls. Without names it
// counts all calls.
func (s *Server) Count(operations ...string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.calls {
		if len(operations) == 0 || slices.Contains(operations, c.Operation) {
			n++
		}
	}
	return n
}
