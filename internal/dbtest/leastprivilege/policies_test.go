package leastprivilege_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/awskms"
)

func denied(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, keymgr.ErrKMSDenied) {
		t.Errorf("%s: %v, want ErrKMSDenied", what, err)
	}
}

func TestAnApplicationReadsItsOwnDomainOnly(t *testing.T) {
	w := newWorld(t)
	w.create()
	client := w.role("application", "application.json")
	m := w.manager(client)
	if _, err := m.Keys(t.Context(), medical); err != nil {
		t.Errorf("medical: %v", err)
	}
	_, err := m.Keys(t.Context(), finance)
	denied(t, "finance", err)
	if _, err := m.Keys(t.Context(), medical); err != nil {
		t.Errorf("medical, after finance was denied: %v", err)
	}
	eager := w.config(client)
	eager.Lazy = false
	_, err = keymgr.Open(t.Context(), eager)
	denied(t, "Open of both", err)

	w.store = newWorld(t).store
	denied(t, "Create", w.manager(client).Create(t.Context(), medical))
	_, err = m.AddKey(t.Context(), medical, keymgr.Seal)
	denied(t, "AddKey", err)
	_, err = awskms.Key(client, w.key).Describe(t.Context())
	denied(t, "Describe", err)
}

func TestTheControlPlaneMakesAndChangesKeysets(t *testing.T) {
	w := newWorld(t)
	w.create()
	client := w.role("control-plane", "control-plane.json")
	if _, err := w.manager(client).AddKey(t.Context(), finance, keymgr.Index); err != nil {
		t.Error(err)
	}
	if _, err := awskms.Key(client, "alias/clinic").Describe(t.Context()); err != nil {
		t.Error(err)
	}
	_, _, err := awskms.Key(client, w.key).GenerateDataKey(t.Context(), keymgr.WrapContext{Scope: keymgr.Scope{Domain: "payroll"}})
	denied(t, "another domain", err)
}

// An operator with ReEncrypt alone moves what is wrapped and can open nothing.
func TestAnOperatorRewrapsAndOpensNothing(t *testing.T) {
	w := newWorld(t)
	wc := keymgr.WrapContext{Scope: medical}
	admin := w.kms.Client()
	from, to := w.key, w.kms.CreateKey("alias/next")
	dataKey, wrapped, err := awskms.Key(admin, from).GenerateDataKey(t.Context(), wc)
	if err != nil {
		t.Fatal(err)
	}
	client := w.role("operator", "operator.json")
	old, next := awskms.Key(client, from), awskms.Key(client, to)
	moved, err := next.Rewrap(t.Context(), wrapped, old, wc, wc)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := awskms.Key(admin, to).Unwrap(t.Context(), moved, wc); err != nil || string(got) != string(dataKey) {
		t.Errorf("what the operator moved: %v", err)
	}
	if d, err := next.Describe(t.Context()); err != nil || d.ARN != to {
		t.Errorf("Describe: %+v, %v", d, err)
	}
	for name, kek := range map[string]*awskms.KEK{"old": old, "next": next} {
		for _, blob := range [][]byte{wrapped, moved} {
			_, err := kek.Unwrap(t.Context(), blob, wc)
			if !errors.Is(err, keymgr.ErrKMSDenied) && !errors.Is(err, keymgr.ErrKEKNotAllowed) {
				t.Errorf("%s: Unwrap: %v", name, err)
			}
		}
		_, err := kek.Wrap(t.Context(), dataKey, wc)
		denied(t, name+": Wrap", err)
		_, _, err = kek.GenerateDataKey(t.Context(), wc)
		denied(t, name+": GenerateDataKey", err)
	}
	_, err = old.Unwrap(t.Context(), wrapped, wc)
	denied(t, "Unwrap with the key that wrapped it", err)
	payroll := keymgr.WrapContext{Scope: keymgr.Scope{Domain: "payroll"}}
	_, err = next.Rewrap(t.Context(), wrapped, old, wc, payroll)
	denied(t, "Rewrap to another domain", err)
}

// The same of whole Managers: the operator's moves what is stored, without
// opening it, and the application goes on with the new key alone.
func TestAnOperatorsManagerMovesWhatItCannotOpen(t *testing.T) {
	w := newWorld(t)
	w.create()
	before, err := w.manager(w.kms.Client()).Keys(t.Context(), medical)
	if err != nil {
		t.Fatal(err)
	}
	operator := w.role("operator", "operator.json")
	old := awskms.Key(operator, w.key)
	w.key = w.kms.CreateKey("alias/next")
	cfg := w.config(operator)
	for name, d := range cfg.Domains {
		d.DecryptOnly = []keymgr.KEK{old}
		cfg.Domains[name] = d
	}
	m, err := keymgr.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	w.kms.ResetCalls()
	report, err := m.RewrapAll(t.Context(), keymgr.RewrapOptions{WithoutOpening: true})
	if err != nil {
		t.Fatalf("%v: %+v", err, report)
	}
	if n := w.kms.Count(); n == 0 || n != w.kms.Count("ReEncrypt") {
		t.Errorf("%d calls, %d of ReEncrypt", n, w.kms.Count("ReEncrypt"))
	}
	_, err = m.Keys(t.Context(), medical)
	denied(t, "Keys of the operator", err)
	after, err := w.manager(w.role("application", "application.json")).Keys(t.Context(), medical)
	if err != nil {
		t.Fatal(err)
	}
	if after.Version() != before.Version() || after.Primary().ID() != before.Primary().ID() {
		t.Error("the keys are others")
	}
}

func TestAnAuditorHasNoKeysWhateverElseIsAttached(t *testing.T) {
	w := newWorld(t)
	w.create()
	client := w.role("auditor", "auditor.json", "control-plane.json")
	if _, err := w.kms.Client().CreateGrant(t.Context(), &kms.CreateGrantInput{
		KeyId: &w.key, GranteePrincipal: aws.String("arn:aws:iam::" + account + ":role/auditor"), Operations: []types.GrantOperation{types.GrantOperationDecrypt},
	}); err != nil {
		t.Fatal(err)
	}
	_, err := w.manager(client).Keys(t.Context(), medical)
	denied(t, "Keys", err)
	_, err = awskms.Key(client, w.key).Describe(t.Context())
	denied(t, "Describe", err)
}

func TestAKeyOfOneDomainServesNoOtherNotEvenAdministrators(t *testing.T) {
	w := newWorld(t)
	w.create()
	w.putKeyPolicy(document(t, "key-policy.json"))
	for name, client := range map[string]*kms.Client{"administrator": w.kms.Client(), "control plane": w.role("control-plane", "control-plane.json")} {
		m := w.manager(client)
		if _, err := m.Keys(t.Context(), medical); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_, err := m.Keys(t.Context(), finance)
		denied(t, name, err)
	}
	if _, err := w.kms.Client().Encrypt(t.Context(), &kms.EncryptInput{KeyId: &w.key, Plaintext: []byte("x")}); err == nil {
		t.Error("it encrypts without a context")
	}
	if _, err := awskms.Key(w.kms.Client(), w.key).Describe(t.Context()); err != nil {
		t.Errorf("Describe: %v", err)
	}
}
