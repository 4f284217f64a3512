package awskms_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/awskms"
	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

func TestRewrapMovesADataKeyInsideTheKMS(t *testing.T) {
	srv := awskmstest.Start(t)
	from, to := awskms.Key(srv.Client(), srv.CreateKey()), awskms.Key(srv.Client(), srv.CreateKey())
	dataKey, wrapped, err := from.GenerateDataKey(t.Context(), medical)
	if err != nil {
		t.Fatal(err)
	}
	srv.ResetCalls()
	hashed := medical
	hashed.TenantContext = keymgr.TenantSHA256
	rewrapped, err := to.Rewrap(t.Context(), wrapped, from, medical, hashed)
	if err != nil {
		t.Fatal(err)
	}
	if srv.Count() != 1 || srv.Count("ReEncrypt") != 1 {
		t.Errorf("%+v", srv.Calls())
	}
	if got, err := to.Unwrap(t.Context(), rewrapped, hashed); err != nil || !bytes.Equal(got, dataKey) {
		t.Errorf("unwrap: %v", err)
	}

	// What was wrapped by another key than the one named does not move.
	if _, err := to.Rewrap(t.Context(), rewrapped, from, hashed, medical); !errors.Is(err, keymgr.ErrKEKNotAllowed) {
		t.Errorf("wrong source: %v", err)
	}
	if _, err := to.Rewrap(t.Context(), wrapped, from, hashed, medical); !errors.Is(err, keymgr.ErrKeysetInvalid) {
		t.Errorf("wrong context: %v", err)
	}
	for _, n := range []int{0, 6145} {
		if _, err := to.Rewrap(t.Context(), make([]byte, n), from, medical, medical); !errors.Is(err, keymgr.ErrKeysetInvalid) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	srv.Deny(to.URI()[len("aws-kms://"):])
	if _, err := to.Rewrap(t.Context(), wrapped, from, medical, medical); !errors.Is(err, keymgr.ErrKMSDenied) {
		t.Errorf("denied destination: %v", err)
	}
}

func TestCanRewrapWithinOneRegionOnly(t *testing.T) {
	here, there := awskmstest.Start(t), awskmstest.Start(t)
	ireland, err := awskmstest.New(awskmstest.Config{Region: "eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	defer ireland.Close()
	kek := awskms.Key(here.Client(), here.CreateKey())
	for name, c := range map[string]struct {
		from keymgr.KEK
		want bool
	}{
		"itself":           {kek, true},
		"by alias":         {awskms.Key(here.Client(), "alias/medical-key"), true},
		"another client":   {awskms.Key(here.ClientAs(here.AddCredentials("alice")), here.CreateKey()), true},
		"another endpoint": {awskms.Key(there.Client(), there.CreateKey()), false},
		"another region":   {awskms.Key(ireland.Client(), ireland.CreateKey()), false},
		"another provider": {keymgrtest.NewKEK("x"), false},
	} {
		if got := kek.CanRewrap(c.from); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if !c.want {
			if _, err := kek.Rewrap(t.Context(), []byte("x"), c.from, medical, medical); !errors.Is(err, keymgr.ErrKEKNotAllowed) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
