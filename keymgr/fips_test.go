package keymgr_test

import (
	"crypto/aes"
	"crypto/cipher"
	"os"
	"os/exec"
	"strings"
	"testing"
)

const fipsChild = "FIELDCRYPT_TEST_FIPS_CHILD"

// Everything of ours runs where GODEBUG=fips140=only forbids all that FIPS 140
// does not approve: the test program runs itself again in that mode.
func TestUnderFIPSOnly(t *testing.T) {
	if os.Getenv(fipsChild) != "" {
		t.Skip("this is the child")
	}
	tests := []string{"TestFIPSOnlyIsOn", "TestCreate", "TestLifeOfAKey", "TestRewrap", "TestEveryStateAtEveryAge",
		"TestMixedAndMovedRecordsAreRefused", "TestFrozenVectors"}
	cmd := exec.Command(os.Args[0], "-test.v", "-test.run=^("+strings.Join(tests, "|")+")$")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only", fipsChild+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range tests {
		if !strings.Contains(string(out), "--- PASS: "+name+" ") {
			t.Errorf("%s did not run", name)
		}
	}
}

func TestFIPSOnlyIsOn(t *testing.T) {
	if os.Getenv(fipsChild) == "" {
		t.Skip("for the child of TestUnderFIPSOnly")
	}
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cipher.NewGCM(block); err == nil {
		t.Fatal("GCM with nonces of the caller's is allowed: the mode is not on")
	}
	k := newFixture(t).keys(medical)
	record, err := k.Primary().Record(&[12]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	sealed := record.Seal(nil, nil, []byte("4242"), []byte("ad"))
	if got, err := record.Open(nil, nil, sealed, []byte("ad")); err != nil || string(got) != "4242" {
		t.Errorf("%q, %v", got, err)
	}
	if sum := k.IndexKeys()[0].Compute(nil, []byte("4242")); len(sum) != 32 {
		t.Errorf("%d bytes", len(sum))
	}
}
