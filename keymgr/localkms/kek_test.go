package localkms_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
	"github.com/fieldcrypt/go/keymgr/localkms"
)

var medical = keymgr.WrapContext{Scope: keymgr.Scope{Domain: "medical"}}

func newKEK(t *testing.T, fill byte) *localkms.KEK {
	t.Helper()
	kek, err := localkms.New(bytes.Repeat([]byte{fill}, localkms.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return kek
}

func TestConformance(t *testing.T) { keymgrtest.ExerciseKEK(t, newKEK(t, 1), newKEK(t, 2)) }

func TestNewCopiesTheKey(t *testing.T) {
	key := bytes.Repeat([]byte{1}, localkms.KeySize)
	kek, err := localkms.New(key)
	if err != nil {
		t.Fatal(err)
	}
	_, wrapped, err := kek.GenerateDataKey(t.Context(), medical)
	if err != nil {
		t.Fatal(err)
	}
	clear(key)
	if _, err := kek.Unwrap(t.Context(), wrapped, medical); err != nil {
		t.Errorf("after the caller cleared its copy of the key: %v", err)
	}
	if kek.URI() != newKEK(t, 1).URI() {
		t.Error("one key has two URIs")
	}
	if kek.URI() == newKEK(t, 2).URI() {
		t.Error("two keys have one URI")
	}
}

func TestNewRefusesOtherLengths(t *testing.T) {
	for _, n := range []int{0, 16, 24, 31, 33, 64} {
		if _, err := localkms.New(make([]byte, n)); !errors.Is(err, keymgr.ErrConfig) {
			t.Errorf("%d bytes: got %v, want ErrConfig", n, err)
		}
	}
}

func TestWrapRefusesWhatIsNoDataKey(t *testing.T) {
	for _, n := range []int{0, 16, 31, 33} {
		if _, err := newKEK(t, 1).Wrap(t.Context(), make([]byte, n), medical); !errors.Is(err, keymgr.ErrKeysetInvalid) {
			t.Errorf("%d bytes: got %v, want ErrKeysetInvalid", n, err)
		}
	}
}

func TestUnwrapRefusesEveryChange(t *testing.T) {
	kek := newKEK(t, 1)
	_, wrapped, err := kek.GenerateDataKey(t.Context(), medical)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, kek *localkms.KEK, wrapped []byte, wc keymgr.WrapContext) {
		t.Helper()
		if got, err := kek.Unwrap(t.Context(), wrapped, wc); !errors.Is(err, keymgr.ErrKeysetInvalid) || got != nil {
			t.Errorf("%s: got a data key of %d bytes and %v, want ErrKeysetInvalid", what, len(got), err)
		}
	}
	for i := range wrapped {
		changed := bytes.Clone(wrapped)
		changed[i] ^= 1
		refused(fmt.Sprintf("byte %d changed", i), kek, changed, medical)
		refused(fmt.Sprintf("cut to %d bytes", i), kek, wrapped[:i], medical)
	}
	refused("one byte more", kek, append(bytes.Clone(wrapped), 0), medical)
	refused("another key", newKEK(t, 2), wrapped, medical)
	refused("another domain", kek, wrapped, keymgr.WrapContext{Scope: keymgr.Scope{Domain: "finance"}})
	refused("another tenant", kek, wrapped, keymgr.WrapContext{Scope: keymgr.Scope{Domain: "medical", Tenant: "a"}})
}

// The canary is the key in every shape that a formatter could give it.
func TestNothingPrintsTheKey(t *testing.T) {
	key := bytes.Repeat([]byte{0xA7}, localkms.KeySize)
	kek, err := localkms.New(key)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	type holder struct {
		Ptr    *localkms.KEK
		Val    localkms.KEK
		hidden *localkms.KEK
		copied localkms.KEK
	}
	h := holder{kek, *kek, kek, *kek}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		for _, v := range []any{kek, *kek, h, &h, []any{kek, h}, map[string]any{"k": h}} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	for _, log := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(log).Info("kek", "ptr", kek, "val", *kek, "holder", h)
	}
	if err := json.NewEncoder(&out).Encode(h); err != nil {
		t.Fatal(err)
	}
	printed := strings.ToLower(out.String())
	for _, canary := range []string{"a7a7", "167 167", "p6enp6", "\\xa7", "\xa7"} {
		if strings.Contains(printed, canary) {
			t.Errorf("the key was printed as %q", canary)
		}
	}
	if !strings.Contains(printed, kek.URI()) {
		t.Error("the URI was not printed")
	}
}

// TestFIPSOnly runs the tests of this package again in a process that refuses
// everything that FIPS 140-3 does not approve.
func TestFIPSOnly(t *testing.T) {
	if os.Getenv("LOCALKMS_FIPS_CHILD") != "" {
		t.Skip("this is the child")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.count=1", "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only", "LOCALKMS_FIPS_CHILD=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("under GODEBUG=fips140=only: %v\n%s", err, out)
	}
	if !bytes.Contains(out, []byte("--- PASS: TestConformance")) {
		t.Fatalf("the child ran nothing:\n%s", out)
	}
}
