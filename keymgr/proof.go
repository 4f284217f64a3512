package keymgr

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Proof says why a key may be disabled or destroyed: that no row needs it any
// more, as package migrate has counted and verified, or in Override why it may
// go without that. Its JSON is stable: fields are added, never changed.
//
// A proof holds for one key and for the version of the keysets under which it
// was made; any change of the scope's keysets voids it. Nothing authenticates
// it: it keeps operators from mistakes, not from lies, and the log of key events
// names who gave it.
type Proof struct {
	Scope   Scope         `json:"scope"`
	Purpose Purpose       `json:"purpose"`
	KeyID   uint32        `json:"key_id"`
	Version uint64        `json:"version"` // of the keysets
	Columns []ProofColumn `json:"columns"` // every column of the scope that the purpose concerns, at least one

	BeganAt time.Time `json:"began_at"` // of counting and verifying
	EndedAt time.Time `json:"ended_at"`
	Actor   string    `json:"actor,omitempty"` // who ran it
	Tool    string    `json:"tool,omitempty"`  // with what
	Chain   string    `json:"chain,omitempty"` // hash of the migrator's chain of events, in hex

	// Override, in place of everything else: why the key may be disabled or
	// destroyed without a census. It is logged and stands in the event. Rows
	// that do need the key are lost to whoever reads them.
	Override string `json:"override,omitempty"`
}

// ProofColumn is what was found in a column of ciphertexts or, for an index key,
// of blind indexes.
type ProofColumn struct {
	Table  string `json:"table"`
	Column string `json:"column"`
	Rows   int64  `json:"rows"`   // values of the scope in the column
	Left   int64  `json:"left"`   // of them, those that name the key: must be 0
	Opened int64  `json:"opened"` // of them, those that opened: for a seal key all of Rows
}

// MaxProofAge is how long a proof holds after it ended.
const MaxProofAge = 7 * 24 * time.Hour

// maxReasonLen bounds what an override or a reason takes in the log of key
// changes, in bytes.
const maxReasonLen = 1000

// SHA256 is the hash of the proof's compact JSON in hex, as the event of the
// change that it allowed names it; "" if its times have no JSON.
func (p Proof) SHA256() string {
	b, err := json.Marshal(p)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// reason is the override as it is stored, "" if there is none.
func (p Proof) reason() string { return logText(p.Override, maxReasonLen) }

// check returns ErrKeyInUse unless the proof lets a key go at the given time.
// A census that began before since does not count.
func (p Proof) check(of Proof, since, now time.Time, skew time.Duration) error {
	if p.reason() != "" {
		return nil
	}
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s key %d: %s", ErrKeyInUse, of.Purpose, of.KeyID, fmt.Sprintf(format, args...))
	}
	switch {
	case len(p.Columns) == 0:
		return fail("no proof that nothing needs it: let the migrator count and verify, or give the reason to override that")
	case p.Scope != of.Scope || p.Purpose != of.Purpose || p.KeyID != of.KeyID:
		return fail("the proof is of another key, %s key %d", clip(string(p.Purpose)), p.KeyID)
	case p.Version != of.Version:
		return fail("the proof is of version %d of the keysets, current is %d: make a new one", p.Version, of.Version)
	case p.BeganAt.IsZero() || p.EndedAt.Before(p.BeganAt) || p.SHA256() == "":
		return fail("the proof does not say when it began and ended")
	case p.EndedAt.After(now.Add(skew)):
		return fail("the proof ended in the future, at %s: compare the clocks", p.EndedAt.UTC().Format(time.RFC3339))
	case now.Sub(p.EndedAt) > MaxProofAge:
		return fail("the proof is older than %d days: make a new one", MaxProofAge/(24*time.Hour))
	case p.BeganAt.Before(since):
		return fail("an instance may have written with it until %s, and the proof began before: make a new one", since.Format(time.RFC3339))
	}
	for _, c := range p.Columns {
		name := clip(c.Table) + "." + clip(c.Column)
		switch {
		case c.Table == "" || c.Column == "" || c.Rows < 0 || c.Left < 0 || c.Opened < 0:
			return fail("the proof has a column without a name, or a negative number")
		case c.Left != 0:
			return fail("%d values of %s name it: run the migrator", c.Left, name)
		case p.Purpose == Seal && c.Opened != c.Rows:
			return fail("only %d of %d values of %s have opened", c.Opened, c.Rows, name)
		}
	}
	return nil
}

// detail is what the event of the change says of the proof.
func (p Proof) detail() string {
	if reason := p.reason(); reason != "" {
		return "override: " + reason
	}
	var rows, opened int64
	for _, c := range p.Columns {
		rows, opened = rows+c.Rows, opened+c.Opened
	}
	return fmt.Sprintf("proof sha256:%s, columns %d, rows %d, opened %d, left 0, ended %s",
		p.SHA256(), len(p.Columns), rows, opened, p.EndedAt.UTC().Format(time.RFC3339))
}

// logText makes a person's text fit for every SQL text: valid UTF-8 without NUL,
// at most limit bytes, not cut inside a character, without space around it.
func logText(s string, limit int) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "?")
	s = strings.TrimSpace(s)
	return strings.TrimSpace(strings.ToValidUTF8(s[:min(len(s), limit)], ""))
}
