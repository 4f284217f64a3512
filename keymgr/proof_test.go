package keymgr_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

// proofOf is a proof, made just now, that lets a key go.
func proofOf(k *keymgr.Keys, p keymgr.Purpose, id uint32) keymgr.Proof {
	return keymgr.Proof{
		Scope: k.Scope(), Purpose: p, KeyID: id, Version: k.Version(),
		Columns: []keymgr.ProofColumn{
			{Table: "patients", Column: "mrn", Rows: 10, Opened: 10},
			{Table: "patients", Column: "name", Rows: 20, Opened: 20},
		},
		BeganAt: time.Now(), EndedAt: time.Now(), Actor: "ops@example", Tool: "test", Chain: "00",
	}
}

func TestAKeyGoesOnlyOnAWholeProof(t *testing.T) {
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		change func(*keymgr.Proof)
		says   string // "": accepted
	}{
		"whole":                {func(*keymgr.Proof) {}, ""},
		"six days old":         {func(p *keymgr.Proof) { p.EndedAt = p.EndedAt.Add(-6 * day); p.BeganAt = p.EndedAt }, ""},
		"a clock ahead":        {func(p *keymgr.Proof) { p.EndedAt = p.EndedAt.Add(cacheTTL) }, ""},
		"an empty column":      {func(p *keymgr.Proof) { p.Columns[0] = keymgr.ProofColumn{Table: "a", Column: "b"} }, ""},
		"overridden":           {func(p *keymgr.Proof) { *p = keymgr.Proof{Override: "why"} }, ""},
		"an override of space": {func(p *keymgr.Proof) { *p = keymgr.Proof{Override: " \n\x00"} }, "no proof"},
		"none":                 {func(p *keymgr.Proof) { *p = keymgr.Proof{} }, "no proof"},
		"no columns":           {func(p *keymgr.Proof) { p.Columns = nil }, "no proof"},
		"another tenant":       {func(p *keymgr.Proof) { p.Scope.Tenant = "acme" }, "another key"},
		"another domain":       {func(p *keymgr.Proof) { p.Scope.Domain = "finance" }, "another key"},
		"another purpose":      {func(p *keymgr.Proof) { p.Purpose = keymgr.Index }, "another key"},
		"another key":          {func(p *keymgr.Proof) { p.KeyID++ }, "another key"},
		"an older version":     {func(p *keymgr.Proof) { p.Version-- }, "make a new one"},
		"a later version":      {func(p *keymgr.Proof) { p.Version++ }, "make a new one"},
		"no beginning":         {func(p *keymgr.Proof) { p.BeganAt = time.Time{} }, "began and ended"},
		"no end":               {func(p *keymgr.Proof) { p.EndedAt = time.Time{} }, "began and ended"},
		"an end first":         {func(p *keymgr.Proof) { p.EndedAt = p.BeganAt.Add(-1) }, "began and ended"},
		"a year without JSON":  {func(p *keymgr.Proof) { p.BeganAt = time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC) }, "began and ended"},
		"of the future":        {func(p *keymgr.Proof) { p.EndedAt = p.EndedAt.Add(cacheTTL + time.Second) }, "clocks"},
		"too old":              {func(p *keymgr.Proof) { p.EndedAt = p.EndedAt.Add(-7*day - 1); p.BeganAt = p.EndedAt }, "older than 7 days"},
		"a row left":           {func(p *keymgr.Proof) { p.Columns[1].Left = 1 }, "1 values of patients.name"},
		"a row not opened":     {func(p *keymgr.Proof) { p.Columns[0].Opened = 9 }, "9 of 10 values of patients.mrn"},
		"more opened":          {func(p *keymgr.Proof) { p.Columns[0].Opened = 11 }, "11 of 10"},
		"a negative number":    {func(p *keymgr.Proof) { p.Columns[0].Left = -1 }, "negative"},
		"a column's name":      {func(p *keymgr.Proof) { p.Columns[0].Column = "" }, "without a name"},
		"a table's name":       {func(p *keymgr.Proof) { p.Columns[1].Table = "" }, "without a name"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f := newFixture(t)
				id := keyIn(t, f.Manager, keymgr.Seal, keymgr.StatePending)
				proof := proofOf(f.keys(medical), keymgr.Seal, id)
				c.change(&proof)
				err := f.DisableKey(t.Context(), medical, keymgr.Seal, id, proof)
				if c.says == "" {
					mustBe(t, "DisableKey", err, nil)
					return
				}
				mustBe(t, "DisableKey", err, keymgr.ErrKeyInUse)
				mustBeOneClass(t, err)
				if !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v does not say %q", err, c.says)
				}
				if got := stateOf(t, f.Manager, keymgr.Seal, id); got != keymgr.StatePending {
					t.Errorf("the key is %s", got)
				}
			})
		})
	}
}

// A verify opens values: blind indexes are counted only.
func TestAnIndexKeyGoesOnTheCensusAlone(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		id := keyIn(t, f.Manager, keymgr.Index, keymgr.StateActive)
		proof := proofOf(f.keys(medical), keymgr.Index, id)
		proof.Columns = []keymgr.ProofColumn{{Table: "patients", Column: "mrn_bidx", Rows: 10}}
		mustBe(t, "DisableKey", f.DisableKey(t.Context(), medical, keymgr.Index, id, proof), nil)
	})
}

// An instance with old keys may have written after the census had passed.
func TestAKeyIsDestroyedOnACensusFromAfterItsLastWriter(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t)
		id := keyIn(t, f.Manager, keymgr.Seal, keymgr.StateActive)
		mustBe(t, "DisableKey", f.DisableKey(t.Context(), medical, keymgr.Seal, id, overridden), nil)
		time.Sleep(time.Until(infoOf(t, f.Manager, keymgr.Seal, id).Changed.Add(largestAge)) - time.Second)
		early := proofOf(f.keys(medical), keymgr.Seal, id)
		time.Sleep(time.Second)
		early.EndedAt = time.Now()
		mustBe(t, "DestroyKey", f.DestroyKey(t.Context(), medical, keymgr.Seal, id, early), keymgr.ErrKeyInUse)
		mustBe(t, "DestroyKey", f.DestroyKey(t.Context(), medical, keymgr.Seal, id, proofOf(f.keys(medical), keymgr.Seal, id)), nil)
	})
}

func TestTheJSONOfAProofIsStable(t *testing.T) {
	at := time.Date(2026, 2, 3, 4, 5, 6, 7000, time.UTC)
	proof := keymgr.Proof{
		Scope: acme, Purpose: keymgr.Seal, KeyID: 4294967295, Version: 9,
		Columns: []keymgr.ProofColumn{{Table: "patients", Column: "mrn", Rows: 3, Left: 2, Opened: 1}},
		BeganAt: at, EndedAt: at.Add(time.Second), Actor: "ops", Tool: "migrate", Chain: "ab",
	}
	const want = `{"scope":{"domain":"records","tenant":"acme"},"purpose":"seal","key_id":4294967295,"version":9,` +
		`"columns":[{"table":"patients","column":"mrn","rows":3,"left":2,"opened":1}],` +
		`"began_at":"2026-02-03T04:05:06.000007Z","ended_at":"2026-02-03T04:05:07.000007Z","actor":"ops","tool":"migrate","chain":"ab"}`
	got, err := json.Marshal(proof)
	mustBe(t, "Marshal", err, nil)
	if string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var back keymgr.Proof
	mustBe(t, "Unmarshal", json.Unmarshal(got, &back), nil)
	if back.SHA256() != proof.SHA256() {
		t.Error("reading it back has changed its hash")
	}
	if sum := sha256.Sum256([]byte(want)); proof.SHA256() != hex.EncodeToString(sum[:]) {
		t.Errorf("hash %s is not that of the JSON", proof.SHA256())
	}
}
