package fieldcrypttest

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

// KMS is the key management service of an environment. In the process it is an
// [*awskmstest.Server], which can do more than this and says what each method
// does. In a container, failures are made on the way to it.
type KMS interface {
	URL() string
	Region() string
	// Client returns an SDK client that does not retry, so that every call is
	// counted once.
	Client(optFns ...func(*kms.Options)) *kms.Client
	// CreateKey makes a key and its aliases, and returns its ARN. It is not
	// counted.
	CreateKey(aliases ...string) (arn string)

	// Deny refuses every operation on a key, named by its id, ARN or alias, until
	// Allow.
	Deny(key string)
	Allow(key string)
	// Throttle answers a fraction of the calls, 0 to 1, with ThrottlingException.
	Throttle(fraction float64)
	// Down breaks all connections until Up.
	Down()
	Up()
	// Recover ends everything that Deny, Throttle and Down have begun.
	Recover()

	// Count returns how many calls of the named operations, or of all, were
	// answered since the last ResetCalls.
	Count(operations ...string) int
	ResetCalls()
}

// kmsAlias is the name of the key that wraps a domain's keysets.
func kmsAlias(domain string) string { return "alias/" + domain + "-key" }

func startKMS(t testing.TB, o *KMSContainer, pg *server) KMS {
	t.Helper()
	if o == nil {
		return awskmstest.Start(t)
	}
	return startKMSContainer(t, *o, pg)
}
