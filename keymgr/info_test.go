package keymgr

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead/xaesgcm"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf/hmacprf"
)

const sampleInfo = `{"v":1,` +
	`"seal":[{"id":7,"state":"active","created":"2026-01-02T03:04:05Z","changed":"2026-01-03T00:00:00Z"},` +
	`{"id":4294967295,"state":"primary","created":"2026-01-02T03:04:05Z","changed":"2026-01-02T03:04:05Z"}],` +
	`"index":[{"id":9,"state":"primary","created":"2026-01-02T03:04:05Z","changed":"2026-01-02T03:04:05Z"}],` +
	`"reindex":[{"column":"patients.mrn_bidx","key":9}]}`

func TestInfoRoundTrip(t *testing.T) {
	for _, s := range []string{sampleInfo, strings.Replace(sampleInfo, `,"reindex":[{"column":"patients.mrn_bidx","key":9}]`, "", 1)} {
		i, err := parseInfo(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := must(i.encode()); got != s {
			t.Errorf("got %s, want %s", got, s)
		}
	}
}

func TestOtherSpellingsOfInfoAreRefused(t *testing.T) {
	replace := func(old, new string) string {
		if !strings.Contains(sampleInfo, old) {
			t.Fatalf("the sample has no %s", old)
		}
		return strings.Replace(sampleInfo, old, new, 1)
	}
	for name, s := range map[string]string{
		"empty":                    "",
		"null":                     "null",
		"an array":                 "[]",
		"a later format":           replace(`"v":1`, `"v":2`),
		"no format":                replace(`"v":1,`, ``),
		"a space":                  replace(`,"seal"`, `, "seal"`),
		"a newline at the end":     sampleInfo + "\n",
		"a second value":           sampleInfo + sampleInfo,
		"an unknown field":         replace(`"v":1`, `"v":1,"x":1`),
		"an unknown field of keys": replace(`"id":7`, `"id":7,"x":1`),
		"a field twice":            replace(`"v":1`, `"v":1,"v":1`),
		"another order":            replace(`"id":7,"state":"active"`, `"state":"active","id":7`),
		"another case":             replace(`"seal"`, `"Seal"`),
		"an escape":                replace(`"active"`, `"\u0061ctive"`),
		"a number as text":         replace(`"id":7`, `"id":"7"`),
		"a number with a fraction": replace(`"id":7`, `"id":7.0`),
		"an id too large":          replace(`4294967295`, `4294967296`),
		"a negative id":            replace(`"id":7`, `"id":-7`),
		"a zone":                   replace(`03:04:05Z`, `03:04:05+00:00`),
		"another zone":             replace(`03:04:05Z`, `03:04:05+01:00`),
		"a fraction of a second":   replace(`03:04:05Z`, `03:04:05.5Z`),
		"a small z":                replace(`03:04:05Z`, `03:04:05z`),
		"no such day":              replace(`2026-01-02`, `2026-02-30`),
		"an empty reindex":         replace(`"reindex":[{"column":"patients.mrn_bidx","key":9}]`, `"reindex":[]`),
	} {
		if _, err := parseInfo(s); !errors.Is(err, ErrKeysetInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestInfoThatContradictsTheKeysetsIsRefused(t *testing.T) {
	seal := fromKeys(t, xaesKey(1, 100, xaesgcm.VariantTink, 12), xaesKey(3, 101, xaesgcm.VariantTink, 12), xaesKey(5, 102, xaesgcm.VariantTink, 12))
	m := keyset.NewManagerFromHandle(seal)
	if err := m.Disable(102); err != nil {
		t.Fatal(err)
	}
	seal = must(m.Handle())
	index := fromKeys(t, prfKey(2, 32, hmacprf.SHA256))
	for name, change := range map[string]func(*info){
		"":                                  func(*info) {},
		"a primary that is not":             func(i *info) { i.Seal[1].State = StatePrimary },
		"no primary":                        func(i *info) { i.Seal[0].State = StateActive },
		"the primary disabled":              func(i *info) { i.Seal[0].State = StateDisabled },
		"a disabled key called active":      func(i *info) { i.Seal[2].State = StateActive },
		"an active key called disabled":     func(i *info) { i.Seal[1].State = StateDisabled },
		"a key that is there as destroyed":  func(i *info) { i.Seal[1].State = StateDestroyed },
		"a state that does not exist":       func(i *info) { i.Seal[1].State = "spare" },
		"a key missing":                     func(i *info) { i.Seal = i.Seal[:2] },
		"a key too many":                    func(i *info) { i.Seal = append(i.Seal, keyInfo{ID: 103, State: StateActive}) },
		"a disabled key that is not there":  func(i *info) { i.Seal = append(i.Seal, keyInfo{ID: 103, State: StateDisabled}) },
		"a key twice":                       func(i *info) { i.Seal = append(i.Seal, i.Seal[1]) },
		"a tombstone of a key that lives":   func(i *info) { i.Seal = append(i.Seal, keyInfo{ID: 101, State: StateDestroyed}) },
		"id zero":                           func(i *info) { i.Seal = append(i.Seal, keyInfo{State: StateDestroyed}) },
		"a seal key's id under index":       func(i *info) { i.Index = append(i.Index, keyInfo{ID: 100, State: StateDestroyed}) },
		"no index keys":                     func(i *info) { i.Index = nil },
		"reindex with an unknown key":       func(i *info) { i.Reindex = []reindex{{"a.b", 5}} },
		"reindex with a seal key":           func(i *info) { i.Reindex = []reindex{{"a.b", 100}} },
		"reindex of no column":              func(i *info) { i.Reindex = []reindex{{"", i.Index[0].ID}} },
		"reindex of a column with an quote": func(i *info) { i.Reindex = []reindex{{`a"b`, i.Index[0].ID}} },
		"reindex of a column with markup":   func(i *info) { i.Reindex = []reindex{{`a<b`, i.Index[0].ID}} },
	} {
		i := infoFor(t, seal, index)
		change(&i)
		if _, err := newKeys(testScope, 1, i, seal, index); name != "" && !errors.Is(err, ErrKeysetInvalid) || name == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	i := infoFor(t, seal, index)
	i.Seal[1].State = StatePending
	i.Seal = append(i.Seal, keyInfo{ID: 99, State: StateDestroyed})
	i.Reindex = []reindex{{"patients.mrn_bidx", i.Index[0].ID}}
	k, err := newKeys(testScope, 1, i, seal, index)
	if err != nil {
		t.Fatal(err)
	}
	// What is not changed is kept.
	d := k.next(time.Now(), "")
	if _, err := d.add(Index, StatePending); err != nil {
		t.Fatal(err)
	}
	if len(d.info.Reindex) != 1 || len(d.info.Seal) != 4 || len(k.info.Index) != 1 {
		t.Errorf("a change of the index keyset has changed more: %+v", d.info)
	}
}

func TestStampsRoundUp(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	for d, want := range map[time.Duration]string{
		0: `"2026-01-02T02:04:05Z"`, 1: `"2026-01-02T02:04:06Z"`, time.Second - 1: `"2026-01-02T02:04:06Z"`, time.Second: `"2026-01-02T02:04:06Z"`,
	} {
		if got := string(must(stampOf(at.Add(d)).MarshalJSON())); got != want {
			t.Errorf("%v later: %s, want %s", d, got, want)
		}
	}
}

func FuzzParseInfo(f *testing.F) {
	f.Add(sampleInfo)
	f.Add(`{"v":1,"seal":null,"index":[]}`)
	f.Fuzz(func(t *testing.T, s string) {
		i, err := parseInfo(s)
		if err != nil {
			if !errors.Is(err, ErrKeysetInvalid) {
				t.Fatal(err)
			}
			return
		}
		if got := must(i.encode()); got != s {
			t.Fatalf("%q was accepted and is encoded as %q", s, got)
		}
	})
}
