package awskeys_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/awskms"
	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

// replicated is a multi-Region key in eu-west-1 and its replica in us-east-1.
type replicated struct {
	eu, us       *awskmstest.Server
	euARN, usARN string
}

func newReplicated(t *testing.T) replicated {
	t.Helper()
	servers := awskmstest.StartRegions(t, "eu-west-1", "us-east-1")
	r := replicated{eu: servers[0], us: servers[1]}
	key, err := r.eu.Client().CreateKey(t.Context(), &kms.CreateKeyInput{MultiRegion: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	r.euARN = *key.KeyMetadata.Arn
	replica, err := r.eu.Client().ReplicateKey(t.Context(), &kms.ReplicateKeyInput{KeyId: &r.euARN, ReplicaRegion: aws.String("us-east-1")})
	if err != nil {
		t.Fatal(err)
	}
	r.usARN = *replica.ReplicaKeyMetadata.Arn
	return r
}

func (r replicated) euKEK() *awskms.KEK { return awskms.Key(r.eu.Client(), r.euARN) }
func (r replicated) usKEK() *awskms.KEK { return awskms.Key(r.us.Client(), r.usARN) }

func open(t *testing.T, store keymgr.Store, o keymgr.Observer, keks ...keymgr.KEK) *keymgr.Manager {
	t.Helper()
	m, err := keymgr.Open(t.Context(), keymgr.Config{
		Store: store, Observer: o, Lazy: true,
		Domains:    map[string]keymgr.Domain{"medical": {KEKs: keks}},
		HedgeAfter: 10 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func wrappedUnder(t *testing.T, store keymgr.Store) (uris []string) {
	t.Helper()
	r, err := store.Load(t.Context(), medical)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range r.Wraps {
		uris = append(uris, w.KEKURI)
	}
	return uris
}

// What was wrapped in one region opens in the other by the replica there, without
// a wrap of its own and without a word to the first region; a change there wraps
// under the replica, and that opens at home.
func TestAReplicaOpensWhatItsPrimaryHasWrapped(t *testing.T) {
	r := newReplicated(t)
	store := memstore.New()
	eu, us := open(t, store, nil, r.euKEK()), open(t, store, nil, r.usKEK())
	if err := eu.Create(t.Context(), medical); err != nil {
		t.Fatal(err)
	}
	made, err := eu.Keys(t.Context(), medical)
	if err != nil {
		t.Fatal(err)
	}
	r.eu.Down()
	r.us.ResetCalls()
	opened, err := us.Keys(t.Context(), medical)
	if err != nil || opened.Primary().ID() != made.Primary().ID() {
		t.Fatalf("in the replica's region: %v", err)
	}
	keymgrtest.AssertKMSCalls(t, us, 1)
	if calls := r.us.Calls(); len(calls) != 1 || calls[0].Operation != "Decrypt" || calls[0].KeyARN != r.usARN {
		t.Errorf("calls: %+v", calls)
	}
	if got := wrappedUnder(t, store); !slices.Equal(got, []string{"aws-kms://" + r.euARN}) {
		t.Errorf("wrapped under %v", got)
	}

	id, err := us.AddKey(t.Context(), medical, keymgr.Seal)
	if err != nil {
		t.Fatal(err)
	}
	if got := wrappedUnder(t, store); !slices.Equal(got, []string{"aws-kms://" + r.usARN}) {
		t.Errorf("wrapped under %v", got)
	}
	r.eu.Up()
	r.us.Down()
	eu.Evict(medical)
	keys, err := eu.KeysFor(t.Context(), medical, id)
	if err != nil || keys.Version() != 2 {
		t.Errorf("in the primary's region: %v", err)
	}
}

// One wrap and both KEKs in the configuration: whichever region is away, the other
// opens, and the Observer hears of it.
func TestARegionThatIsAway(t *testing.T) {
	r := newReplicated(t)
	store := memstore.New()
	if err := open(t, store, nil, r.euKEK()).Create(t.Context(), medical); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		away     func() (back func())
		failover keymgr.Class
	}{
		{"hangs", func() func() { _, release := r.eu.Hang(); return release }, keymgr.ClassSlow},
		{"denies", func() func() { r.eu.Deny(r.euARN); return r.eu.Recover }, keymgr.ClassDenied},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen := &openings{}
			m := open(t, store, seen, r.euKEK(), r.usKEK())
			back := c.away()
			defer back()
			if _, err := m.Keys(t.Context(), medical); err != nil {
				t.Fatal(err)
			}
			m.Close() // waits for the call that came too late
			want := keymgr.ScopeOpened{Domain: "medical", Scope: "medical", Version: 1, KEK: "aws-kms://" + r.usARN, Failover: c.failover}
			if got := seen.list; len(got) != 1 || got[0] != want {
				t.Errorf("observed %+v", got)
			}
		})
	}
}

// The replica's region takes the data key over from the primary's wrap inside its
// KMS, for an operator who may do nothing but ReEncrypt.
func TestRewrapInTheReplicasRegion(t *testing.T) {
	r := newReplicated(t)
	store := memstore.New()
	if err := open(t, store, nil, r.euKEK()).Create(t.Context(), medical); err != nil {
		t.Fatal(err)
	}
	ops := r.us.AddUser("ops", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:ReEncrypt*","Resource":"*"}}`)
	client := r.us.Client(func(o *kms.Options) {
		o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return ops, nil })
	})
	r.eu.Down()
	m := open(t, store, nil, awskms.Key(client, r.usARN))
	if _, err := m.Keys(t.Context(), medical); !errors.Is(err, keymgr.ErrKMSDenied) {
		t.Errorf("the operator opens: %v", err)
	}
	report, err := m.RewrapAll(t.Context(), keymgr.RewrapOptions{WithoutOpening: true})
	if err != nil || report.Rewrapped != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	if got := wrappedUnder(t, store); !slices.Equal(got, []string{"aws-kms://" + r.usARN}) {
		t.Errorf("wrapped under %v", got)
	}
	if _, err := open(t, store, nil, r.usKEK()).Keys(t.Context(), medical); err != nil {
		t.Error(err)
	}
}

// A row that names a key of a thief's, or another account's key of the same id, is
// never asked for: KMS is told this configuration's key and no other.
func TestWrapsOfStrangersAreNotAskedFor(t *testing.T) {
	r := newReplicated(t)
	store := memstore.New()
	if err := open(t, store, nil, r.euKEK()).Create(t.Context(), medical); err != nil {
		t.Fatal(err)
	}
	record, err := store.Load(t.Context(), medical)
	if err != nil {
		t.Fatal(err)
	}
	id := r.euARN[len("arn:aws:kms:eu-west-1:111122223333:key/"):]
	planted := []keymgr.Wrap{
		{KEKURI: "aws-kms://arn:aws:kms:eu-west-1:999999999999:key/" + id, Wrapped: record.Wraps[0].Wrapped},
		{KEKURI: "aws-kms://arn:aws-cn:kms:cn-north-1:111122223333:key/" + id, Wrapped: record.Wraps[0].Wrapped},
		{KEKURI: "aws-kms://arn:aws:kms:eu-west-1:111122223333:key/mrk-00000000000000000000000000000000", Wrapped: record.Wraps[0].Wrapped},
	}
	if err := store.SwapWraps(t.Context(), medical, 1, record.Wraps, planted, nil); err != nil {
		t.Fatal(err)
	}
	r.us.ResetCalls()
	r.eu.ResetCalls()
	_, err = open(t, store, nil, r.usKEK()).Keys(t.Context(), medical)
	if !errors.Is(err, keymgr.ErrKEKNotAllowed) || r.us.Count()+r.eu.Count() != 0 {
		t.Errorf("%v, %d calls", err, r.us.Count()+r.eu.Count())
	}
}

// openings keeps what an Observer hears of openings, without how long they took.
type openings struct {
	mu   sync.Mutex
	list []keymgr.ScopeOpened
}

func (o *openings) Observe(_ context.Context, what keymgr.Observation) {
	if opened, ok := what.(keymgr.ScopeOpened); ok {
		opened.Duration = 0
		o.mu.Lock()
		defer o.mu.Unlock()
		o.list = append(o.list, opened)
	}
}
