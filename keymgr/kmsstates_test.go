package keymgr_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

// kmsStates are what a KMS can be like; each call of it takes a second in all
// of them.
var kmsStates = []struct {
	name string
	err  error // the class of its answers
	set  func(*keymgrtest.KEK)
}{
	{"fine", nil, func(*keymgrtest.KEK) {}},
	{"slow", nil, func(k *keymgrtest.KEK) { k.Slow(9 * time.Second) }},
	{"too slow", keymgr.ErrKMSUnavailable, func(k *keymgrtest.KEK) { k.Slow(11 * time.Second) }},
	{"throttled", keymgr.ErrKMSUnavailable, func(k *keymgrtest.KEK) { k.Answer(fmt.Errorf("%w: ThrottlingException", keymgr.ErrKMSUnavailable)) }},
	{"5xx", keymgr.ErrKMSUnavailable, func(k *keymgrtest.KEK) { k.Answer(fmt.Errorf("KMSInternalException")) }},
	{"hangs", keymgr.ErrKMSUnavailable, func(k *keymgrtest.KEK) { k.Block() }},
	{"denied", keymgr.ErrKMSDenied, func(k *keymgrtest.KEK) { k.Deny() }},
	{"disabled", keymgr.ErrKMSDenied, func(k *keymgrtest.KEK) { k.Answer(fmt.Errorf("%w: DisabledException", keymgr.ErrKMSDenied)) }},
	{"pending deletion", keymgr.ErrKMSDenied, func(k *keymgrtest.KEK) {
		k.Answer(fmt.Errorf("%w: KMSInvalidStateException", keymgr.ErrKMSDenied))
	}},
	{"back again", nil, func(k *keymgrtest.KEK) { k.Deny(); k.Recover() }},
}

// cacheAges are how old the keys in the cache are when they are used.
var cacheAges = []struct {
	name  string
	age   time.Duration
	opens bool // a use opens the scope
	waits bool // it waits for that
	dead  bool // no keys serve on
}{
	{"cold", 0, true, true, true},
	{"fresh", cacheTTL * 74 / 100, false, false, false},
	{"due", cacheTTL * 96 / 100, true, false, false},
	{"idle", maxStale - 30*time.Second, true, true, false},
	{"dead", maxStale, true, true, true},
}

// kmsOperations are what a Manager is asked for. A use goes through the cache.
var kmsOperations = []struct {
	name string
	use  bool
	do   func(ctx context.Context, m *keymgr.Manager, pending uint32) error
	err  error // where the KMS answers, or is not asked
	kms  int   // calls of a change where the KMS answers
}{
	{"Keys", true, func(ctx context.Context, m *keymgr.Manager, _ uint32) error {
		_, err := m.Keys(ctx, medical)
		return err
	}, nil, 0},
	{"KeysFor an unknown id", true, func(ctx context.Context, m *keymgr.Manager, _ uint32) error {
		_, err := m.KeysFor(ctx, medical, 7)
		return err
	}, keymgr.ErrUnknownKey, 0},
	{"Ensure", true, func(ctx context.Context, m *keymgr.Manager, _ uint32) error { return m.Ensure(ctx, medical) }, nil, 0},
	{"Create", false, func(ctx context.Context, m *keymgr.Manager, _ uint32) error { return m.Create(ctx, acme) }, nil, 1},
	{"AddKey", false, func(ctx context.Context, m *keymgr.Manager, _ uint32) error {
		_, err := m.AddKey(ctx, medical, keymgr.Index)
		return err
	}, nil, 2},
	{"PromoteKey", false, func(ctx context.Context, m *keymgr.Manager, pending uint32) error {
		return m.PromoteKey(ctx, medical, keymgr.Seal, pending)
	}, nil, 2},
	{"Rewrap", false, func(ctx context.Context, m *keymgr.Manager, _ uint32) error { return m.Rewrap(ctx, medical) }, nil, 3},
}

// What each operation gives, and how many KMS calls it makes, in every state of
// the KMS and at every age of the cache.
func TestKMSStates(t *testing.T) {
	for _, state := range kmsStates {
		for _, age := range cacheAges {
			for _, op := range kmsOperations {
				t.Run(state.name+"/"+age.name+"/"+op.name, func(t *testing.T) {
					inBubble(t, func(t *testing.T) {
						f := newFixture(t)
						pending, err := f.AddKey(t.Context(), medical, keymgr.Seal)
						mustBe(t, "AddKey", err, nil)
						time.Sleep(maxStale + 2*cacheTTL) // it may be promoted
						f.Evict(medical)
						if f.keys(medical); age.name == "cold" {
							f.Evict(medical)
						}
						f.kek.Slow(time.Second)
						state.set(f.kek)
						f.kek.ResetCalls()
						time.Sleep(age.age)

						want, calls := op.err, 0
						switch {
						case !op.use && state.err != nil:
							want, calls = state.err, 1
						case !op.use:
							calls = op.kms
						case age.opens:
							calls = 1
							if age.waits && (age.dead || state.err == keymgr.ErrKMSDenied) && state.err != nil {
								want = state.err
							}
						}
						err = op.do(t.Context(), f.Manager, pending)
						mustBe(t, op.name, err, want)
						mustBeOneClass(t, err)
						time.Sleep(12 * time.Second) // what runs in the background ends
						synctest.Wait()
						keymgrtest.AssertKMSCalls(t, f.kek, calls)
					})
				})
			}
		}
	}
}

// Two KEKs, of which one is unlike the other: what an opening gives, how long it
// takes and what it costs.
func TestKMSStatesOfTwoKEKs(t *testing.T) {
	down := func(k *keymgrtest.KEK) { k.Unavailable() }
	hangs := func(k *keymgrtest.KEK) { k.Block() }
	denied := func(k *keymgrtest.KEK) { k.Deny() }
	fine := func(*keymgrtest.KEK) {}
	slow := func(d time.Duration) func(*keymgrtest.KEK) { return func(k *keymgrtest.KEK) { k.Slow(d) } }
	for _, c := range []struct {
		name           string
		first, second  func(*keymgrtest.KEK)
		err            error
		takes          time.Duration
		calls1, calls2 int
		failover       keymgr.Class
	}{
		{"both fine", fine, fine, nil, 0, 1, 0, ""},
		{"first down", down, fine, nil, 0, 1, 1, keymgr.ClassUnavailable},
		{"first denied, second fine", denied, fine, nil, 0, 1, 1, keymgr.ClassDenied},
		{"first hangs", hangs, fine, nil, time.Second, 1, 1, keymgr.ClassSlow},
		{"first hangs, second slow", hangs, slow(3 * time.Second), nil, 4 * time.Second, 1, 1, keymgr.ClassSlow},
		{"first a little slow", slow(time.Second / 2), fine, nil, time.Second / 2, 1, 0, ""},
		{"first slow and yet the first", slow(2 * time.Second), slow(3 * time.Second), nil, 2 * time.Second, 1, 1, ""},
		{"first slow, second denied", slow(2 * time.Second), denied, nil, 2 * time.Second, 1, 1, ""},
		{"first denied, second unreachable", denied, hangs, keymgr.ErrKMSDenied, 10 * time.Second, 1, 1, ""},
		{"first unreachable, second denied", hangs, denied, keymgr.ErrKMSDenied, 10 * time.Second, 1, 1, ""},
		{"both hang", hangs, hangs, keymgr.ErrKMSUnavailable, 11 * time.Second, 1, 1, ""},
		{"both denied", denied, denied, keymgr.ErrKMSDenied, 0, 1, 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				a, b := keymgrtest.NewKEK("a"), keymgrtest.NewKEK("b")
				seen := &observed{}
				f := newFixture(t, withKEKs([]keymgr.KEK{a, b}), func(cfg *keymgr.Config) { cfg.Observer = seen })
				f.Evict(medical)
				a.ResetCalls()
				b.ResetCalls()
				c.first(a)
				c.second(b)
				began := time.Now()
				_, err := f.Keys(t.Context(), medical)
				mustBe(t, "Keys", err, c.err)
				mustBeOneClass(t, err)
				if took := time.Since(began); took != c.takes {
					t.Errorf("took %v, want %v", took, c.takes)
				}
				synctest.Wait()
				keymgrtest.AssertKMSCalls(t, a, c.calls1)
				keymgrtest.AssertKMSCalls(t, b, c.calls2)
				for _, o := range all[keymgr.ScopeOpened](seen) {
					if o.Failover != c.failover || (o.KEK == a.URI()) != (c.failover == "") {
						t.Errorf("observed %+v", o)
					}
				}
				if n := len(all[keymgr.ScopeOpened](seen)); (n == 1) != (c.err == nil) {
					t.Errorf("%d openings were observed", n)
				}
			})
		})
	}
}

func TestCloseWaitsForTheKEKThatCameTooLate(t *testing.T) {
	inBubble(t, func(t *testing.T) { // which fails if a goroutine is left
		a, b := keymgrtest.NewKEK("a"), keymgrtest.NewKEK("b")
		f := newFixture(t, withKEKs([]keymgr.KEK{a, b}))
		f.Evict(medical)
		a.Block()
		f.keys(medical)
		f.Close()
	})
}

func TestReplicaOpensWithoutAWrapOfItsOwn(t *testing.T) {
	r := keymgrtest.NewReplicas("eu", "us", "ap")
	other := keymgrtest.NewReplicas("eu2", "us2")
	f := newFixture(t, withKEKs([]keymgr.KEK{r[0]}))
	m := f.open(lazy, withKEKs([]keymgr.KEK{r[1]}))
	mustKeys(t, m, medical)
	keymgrtest.AssertKMSCalls(t, m, 1)

	// With a wrap of its own it is asked for that alone.
	both := f.open(lazy, withKEKs([]keymgr.KEK{r[0], r[1]}))
	mustBe(t, "Rewrap", both.Rewrap(t.Context(), medical), nil)
	r[1].Unavailable()
	r[1].ResetCalls()
	m.Evict(medical)
	_, err := m.Keys(t.Context(), medical)
	mustBe(t, "the replica is down", err, keymgr.ErrKMSUnavailable)
	keymgrtest.AssertKMSCalls(t, r[1], 1)

	stranger := f.open(lazy, withKEKs([]keymgr.KEK{other[1]}))
	_, err = stranger.Keys(t.Context(), medical)
	mustBe(t, "a replica of another key", err, keymgr.ErrKEKNotAllowed)
	keymgrtest.AssertKMSCalls(t, stranger, 0)
}

// Who can write the table can plant wraps under any number of URIs.
func TestPlantedReplicasAreNoStorm(t *testing.T) {
	names := []string{"eu"}
	for i := range 100 {
		names = append(names, fmt.Sprint("planted", i))
	}
	r := keymgrtest.NewReplicas(names...)
	f := newFixture(t, withKEKs([]keymgr.KEK{r[0]}))
	f.store.Lie(func(rec *keymgr.Record) {
		rec.Wraps = nil
		for _, k := range r[1:] {
			rec.Wraps = append(rec.Wraps, keymgr.Wrap{KEKURI: k.URI(), Wrapped: []byte("planted")})
		}
	})
	f.Evict(medical)
	r[0].ResetCalls()
	_, err := f.Keys(t.Context(), medical)
	mustBe(t, "Keys", err, keymgr.ErrKeysetInvalid)
	keymgrtest.AssertKMSCalls(t, r[0], 4)
}
