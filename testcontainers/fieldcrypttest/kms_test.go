package fieldcrypttest_test

import (
	"errors"
	"os"
	"testing"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/testcontainers/fieldcrypttest"
)

// envKMSImage names an image that image/kms has made.
const envKMSImage = "FIELDCRYPT_TEST_KMS_IMAGE"

// TestKMSInAContainer: all that the one in the process can do for a test.
func TestKMSInAContainer(t *testing.T) {
	image := os.Getenv(envKMSImage)
	if image == "" {
		t.Skipf("no image in %s: .ci/containers makes one", envKMSImage)
	}
	env := fieldcrypttest.Start(t, fieldcrypttest.Options{
		Models: []any{&Patient{}},
		KMS:    &fieldcrypttest.KMSContainer{Image: image, Port: 8080},
	})
	create := func() error {
		for _, d := range []string{"medical", "finance"} {
			env.Fieldcrypt.Keys().Evict(keymgr.Scope{Domain: d})
		}
		return env.GORM.Create(&Patient{Name: "Ann Example", Card: card}).Error
	}
	env.AssertKMSCalls(t, 2)
	ok(t, create())
	env.AssertKMSCalls(t, 4)
	if n := env.KMS.Count("Decrypt"); n != 4 {
		t.Errorf("%d calls of Decrypt", n)
	}

	env.KMS.Deny("alias/finance-key")
	if err := create(); !errors.Is(err, fieldcrypt.ErrKMSDenied) {
		t.Errorf("denied: %v", err)
	}
	env.KMS.Deny("alias/medical-key")
	env.KMS.Allow("alias/finance-key")
	if err := create(); !errors.Is(err, fieldcrypt.ErrKMSDenied) {
		t.Errorf("the other key denied: %v", err)
	}
	env.KMS.Recover()
	env.KMS.Down()
	before := env.KMS.Count()
	if err := create(); !errors.Is(err, fieldcrypt.ErrKMSUnavailable) || env.KMS.Count() != before {
		t.Errorf("down: %v, after %d answers", err, env.KMS.Count()-before)
	}
	env.KMS.Up()
	env.KMS.Throttle(0.5)
	failed := 0
	for range 4 {
		if err := create(); errors.Is(err, fieldcrypt.ErrKMSUnavailable) {
			failed++
		} else {
			ok(t, err)
		}
	}
	if failed == 0 {
		t.Error("of every second call none was throttled")
	}
	env.Reset(t)
	ok(t, create())
	env.AssertNoPlaintext(t, "Ann Example", card)
}
