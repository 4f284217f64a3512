// Package awskeys_test runs a Manager against AWS KMS as the SDK's real client
// sees it: every state of a key and of the credentials, and what it costs.
package awskeys_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/awskms"
	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/memstore"
)

var medical = keymgr.Scope{Domain: "medical"}

// What an opening gives in every state of the KMS, and how many requests the KMS
// gets: the SDK tries three times when it is throttled or the KMS fails, and never
// again when the KMS says no.
func TestStatesOfAWS(t *testing.T) {
	const id = "alias/medical"
	disable := func(t *testing.T, srv *awskmstest.Server, arn string) {
		if _, err := srv.Client().DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &arn}); err != nil {
			t.Fatal(err)
		}
	}
	enable := func(t *testing.T, srv *awskmstest.Server, arn string) {
		if _, err := srv.Client().EnableKey(t.Context(), &kms.EnableKeyInput{KeyId: &arn}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name        string
		break_      func(*testing.T, *awskmstest.Server, string)
		err         error
		requests    int
		mend        func(*testing.T, *awskmstest.Server, string)
		servesStale bool
	}{
		{name: "fine", requests: 1, servesStale: true},
		{name: "slow", break_: func(_ *testing.T, s *awskmstest.Server, _ string) { s.SetLatency(20 * time.Millisecond) }, requests: 1, servesStale: true},
		{name: "throttled", break_: func(_ *testing.T, s *awskmstest.Server, _ string) { s.Throttle(1) }, err: keymgr.ErrKMSUnavailable, requests: 3, servesStale: true},
		{name: "throttled once", break_: func(_ *testing.T, s *awskmstest.Server, _ string) { s.Fail(1, "ThrottlingException", 400) }, requests: 2, servesStale: true},
		{name: "5xx", break_: func(_ *testing.T, s *awskmstest.Server, _ string) { s.Fail(1000, "KMSInternalException", 500) }, err: keymgr.ErrKMSUnavailable, requests: 3, servesStale: true},
		{name: "credentials expired", break_: func(_ *testing.T, s *awskmstest.Server, _ string) { s.ExpireCredentials() }, err: keymgr.ErrKMSUnavailable, requests: 1, servesStale: true},
		{name: "denied", break_: func(_ *testing.T, s *awskmstest.Server, _ string) { s.Deny(id) }, err: keymgr.ErrKMSDenied, requests: 1,
			mend: func(_ *testing.T, s *awskmstest.Server, _ string) { s.Allow(id) }},
		{name: "disabled", break_: disable, err: keymgr.ErrKMSDenied, requests: 1, mend: enable},
		{name: "pending deletion", break_: func(t *testing.T, s *awskmstest.Server, arn string) {
			if _, err := s.Client().ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: &arn}); err != nil {
				t.Fatal(err)
			}
		}, err: keymgr.ErrKMSDenied, requests: 1, mend: func(t *testing.T, s *awskmstest.Server, arn string) {
			if _, err := s.Client().CancelKeyDeletion(t.Context(), &kms.CancelKeyDeletionInput{KeyId: &arn}); err != nil {
				t.Fatal(err)
			}
			enable(t, s, arn)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := awskmstest.Start(t)
			arn := srv.CreateKey(id)
			client := srv.Client(func(o *kms.Options) {
				o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond })
			})
			clock := keymgrtest.NewClock(time.Now())
			m, err := keymgr.Open(t.Context(), keymgr.Config{
				Store:   memstore.New(),
				Domains: map[string]keymgr.Domain{"medical": {KEKs: []keymgr.KEK{awskms.Key(client, id)}, AutoCreate: true}},
				Now:     clock.Now,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			use := func(want error, requests int) {
				t.Helper()
				srv.ResetCalls()
				if _, err := m.Keys(t.Context(), medical); !errors.Is(err, want) {
					t.Errorf("error %v, want %v", err, want)
				}
				if n := srv.Count(); n != requests {
					t.Errorf("%d requests, want %d", n, requests)
				}
			}
			breakIt := func() {
				if c.break_ != nil {
					c.break_(t, srv, arn)
				}
			}
			breakIt()
			use(nil, 0) // the keys are fresh
			clock.Advance(5 * time.Minute)
			if c.servesStale {
				use(nil, c.requests)
			} else {
				use(c.err, c.requests)
			}
			if c.servesStale { // the first scripted answers are used up
				srv.Recover()
				breakIt()
			}
			m.Evict(medical)
			use(c.err, c.requests)
			srv.Recover()
			if c.mend != nil {
				c.mend(t, srv, arn)
			}
			m.Evict(medical)
			use(nil, 1)
		})
	}
}
