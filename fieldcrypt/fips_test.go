package fieldcrypt_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"os"
	"os/exec"
	"testing"
)

// Tests that seal, open, wrap, index and search; they run once more where only
// approved algorithms are allowed.
const fipsTests = "^(TestFIPSChild|TestSealedValueOpens|TestNullIsNull|TestTenants|TestBoundValuesOpenInTheirRowOnly|TestIndexTermsFindWhatWasWritten|TestEveryBitAndEveryByteOfAValueMatters|TestAppendSealPutsARowIntoOneBuffer|TestAppendIndexIsIndex|TestNextRowHasItsOwnSalts)$"

func TestEverythingRunsUnderFIPS140Only(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run="+fipsTests, "-test.v")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only", "FIELDCRYPT_FIPS_CHILD=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: TestFIPSChild")) || !bytes.Contains(out, []byte("--- PASS: TestTenants")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestFIPSChild shows that the child process really runs under the setting.
func TestFIPSChild(t *testing.T) {
	if os.Getenv("FIELDCRYPT_FIPS_CHILD") == "" {
		t.Skip("runs as a child of TestEverythingRunsUnderFIPS140Only")
	}
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cipher.NewGCM(block); err == nil {
		t.Error("GCM with nonces of the caller's choice is allowed: fips140=only is not in force")
	}
}
