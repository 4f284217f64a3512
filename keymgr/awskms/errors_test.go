package awskms_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/awskms"
	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

// sentinels are what an error may match, one of them only.
var sentinels = []error{
	keymgr.ErrConfig, keymgr.ErrKMSDenied, keymgr.ErrKMSUnavailable, keymgr.ErrKEKNotAllowed, keymgr.ErrKeysetInvalid,
}

func mustBe(t *testing.T, what string, err, want error) {
	t.Helper()
	for _, s := range sentinels {
		if errors.Is(err, s) != (s == want) {
			t.Errorf("%s: %v, want %v", what, err, want)
			return
		}
	}
}

// methods calls each method of a KEK.
func methods(ctx context.Context, kek *awskms.KEK) map[string]error {
	_, _, generate := kek.GenerateDataKey(ctx, medical)
	_, wrap := kek.Wrap(ctx, make([]byte, 32), medical)
	_, unwrap := kek.Unwrap(ctx, []byte("x"), medical)
	_, rewrap := kek.Rewrap(ctx, []byte("x"), kek, medical, medical)
	_, describe := kek.Describe(ctx)
	return map[string]error{"GenerateDataKey": generate, "Wrap": wrap, "Unwrap": unwrap, "Rewrap": rewrap, "Describe": describe}
}

func TestErrorCodesOfAWS(t *testing.T) {
	srv := awskmstest.Start(t)
	kek := awskms.Key(srv.Client(), srv.CreateKey())
	for _, c := range []struct {
		code   string
		status int
		want   error
	}{
		{"AccessDeniedException", 400, keymgr.ErrKMSDenied},
		{"DisabledException", 400, keymgr.ErrKMSDenied},
		{"KMSInvalidStateException", 400, keymgr.ErrKMSDenied},
		{"NotFoundException", 400, keymgr.ErrKMSDenied},
		{"InvalidKeyUsageException", 400, keymgr.ErrKMSDenied},
		{"InvalidArnException", 400, keymgr.ErrKMSDenied},
		{"InvalidGrantTokenException", 400, keymgr.ErrKMSDenied},
		{"UnsupportedOperationException", 400, keymgr.ErrKMSDenied},
		{"ValidationException", 400, keymgr.ErrKMSDenied},
		{"OptInRequired", 403, keymgr.ErrKMSDenied},
		{"UnrecognizedClientException", 400, keymgr.ErrKMSDenied},
		{"MissingAuthenticationTokenException", 400, keymgr.ErrKMSDenied},

		{"IncorrectKeyException", 400, keymgr.ErrKEKNotAllowed},
		{"InvalidCiphertextException", 400, keymgr.ErrKeysetInvalid},

		{"ThrottlingException", 400, keymgr.ErrKMSUnavailable},
		{"LimitExceededException", 400, keymgr.ErrKMSUnavailable},
		{"KMSInternalException", 500, keymgr.ErrKMSUnavailable},
		{"DependencyTimeoutException", 503, keymgr.ErrKMSUnavailable},
		{"KeyUnavailableException", 500, keymgr.ErrKMSUnavailable},
		{"ServiceUnavailable", 503, keymgr.ErrKMSUnavailable},
		{"ExpiredTokenException", 400, keymgr.ErrKMSUnavailable},
		{"ExpiredToken", 403, keymgr.ErrKMSUnavailable},
		{"RequestExpired", 400, keymgr.ErrKMSUnavailable},
		{"InvalidSignatureException", 400, keymgr.ErrKMSUnavailable},
		{"SomethingNewException", 400, keymgr.ErrKMSUnavailable},
	} {
		srv.Fail(5, c.code, c.status)
		for method, err := range methods(t.Context(), kek) {
			mustBe(t, c.code+" from "+method, err, c.want)
			var api smithy.APIError
			if !errors.As(err, &api) || api.ErrorCode() != c.code {
				t.Errorf("%s from %s is not in %v", c.code, method, err)
			}
		}
	}
}

func TestStatesOfAKey(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	srv, err := awskmstest.New(awskmstest.Config{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	arn := srv.CreateKey()
	client, ctx := srv.Client(), t.Context()
	kek := awskms.Key(client, arn)
	_, wrapped, err := kek.GenerateDataKey(ctx, medical)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, err error, target any) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		_, err = kek.Unwrap(ctx, wrapped, medical)
		mustBe(t, what, err, keymgr.ErrKMSDenied)
		if !errors.As(err, target) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = client.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &arn})
	refused("disabled", err, new(*types.DisabledException))
	_, err = client.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &arn})
	refused("pending deletion", err, new(*types.KMSInvalidStateException))
	_, err = client.CancelKeyDeletion(ctx, &kms.CancelKeyDeletionInput{KeyId: &arn})
	refused("not deleted", err, new(*types.DisabledException))
	if _, err := client.EnableKey(ctx, &kms.EnableKeyInput{KeyId: &arn}); err != nil {
		t.Fatal(err)
	}
	if _, err := kek.Unwrap(ctx, wrapped, medical); err != nil {
		t.Errorf("enabled again: %v", err)
	}
	_, err = client.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &arn, PendingWindowInDays: aws.Int32(7)})
	now = now.AddDate(0, 0, 7)
	refused("deleted", err, new(*types.NotFoundException))
}

func TestKeyOfAnotherUsage(t *testing.T) {
	srv := awskmstest.Start(t)
	out, err := srv.Client().CreateKey(t.Context(), &kms.CreateKeyInput{KeySpec: "HMAC_256", KeyUsage: "GENERATE_VERIFY_MAC"})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = awskms.Key(srv.Client(), *out.KeyMetadata.Arn).GenerateDataKey(t.Context(), medical)
	mustBe(t, "an HMAC key", err, keymgr.ErrKMSDenied)
}

func TestKMSThatDoesNotAnswer(t *testing.T) {
	srv := awskmstest.Start(t)
	kek := awskms.Key(srv.Client(), srv.CreateKey())

	srv.Down()
	for method, err := range methods(t.Context(), kek) {
		mustBe(t, "down, "+method, err, keymgr.ErrKMSUnavailable)
	}
	srv.Up()

	_, release := srv.Hang()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	for method, err := range methods(ctx, kek) {
		mustBe(t, "deadline, "+method, err, keymgr.ErrKMSUnavailable)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("deadline, %s: %v", method, err)
		}
	}
	release()

	srv.ExpireCredentials()
	_, _, err := kek.GenerateDataKey(t.Context(), medical)
	mustBe(t, "expired credentials", err, keymgr.ErrKMSUnavailable)
	srv.Recover()
	if _, _, err := kek.GenerateDataKey(t.Context(), medical); err != nil {
		t.Errorf("back again: %v", err)
	}
}

func TestCancellationByTheCaller(t *testing.T) {
	srv := awskmstest.Start(t)
	kek := awskms.Key(srv.Client(), srv.CreateKey())
	arrived, release := srv.Hang()
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	_, _, err := kek.GenerateDataKey(ctx, medical)
	mustBe(t, "cancelled", err, keymgr.ErrKMSUnavailable)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled in flight: %v", err)
	}
	for method, err := range methods(ctx, kek) {
		mustBe(t, method, err, keymgr.ErrKMSUnavailable)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled before, %s: %v", method, err)
		}
	}
}

func TestCredentialsThatCannotBeHad(t *testing.T) {
	srv := awskmstest.Start(t)
	arn := srv.CreateKey()
	for name, cause := range map[string]error{
		"no provider": errors.New("no EC2 IMDS role found"),
		"STS refuses": &smithy.OperationError{ServiceID: "STS", OperationName: "AssumeRole", Err: &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "no"}},
	} {
		client := srv.Client(func(o *kms.Options) {
			o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{}, fmt.Errorf("failed to refresh cached credentials, %w", cause)
			})
		})
		_, _, err := awskms.Key(client, arn).GenerateDataKey(t.Context(), medical)
		mustBe(t, name, err, keymgr.ErrKMSUnavailable)
		if !errors.Is(err, cause) {
			t.Errorf("%s: %v", name, err)
		}
	}
	stranger := srv.Credentials()
	stranger.AccessKeyID = "AKIASTRANGER"
	_, _, err := awskms.Key(srv.ClientAs(stranger), arn).GenerateDataKey(t.Context(), medical)
	mustBe(t, "an access key that is gone", err, keymgr.ErrKMSDenied)
	if n := srv.Count(); n != 1 {
		t.Errorf("%d calls", n)
	}
}

func TestRefusalsAreNotRetriedAndTheRestIs(t *testing.T) {
	srv := awskmstest.Start(t)
	arn := srv.CreateKey()
	kek := awskms.Key(srv.Client(func(o *kms.Options) {
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond })
	}), arn)
	for _, c := range []struct {
		code   string
		status int
		calls  int
	}{
		{"AccessDeniedException", 400, 1},
		{"DisabledException", 400, 1},
		{"KMSInvalidStateException", 400, 1},
		{"NotFoundException", 400, 1},
		{"IncorrectKeyException", 400, 1},
		{"ThrottlingException", 400, 3},
		{"KMSInternalException", 500, 3},
		{"DependencyTimeoutException", 503, 3},
	} {
		srv.Recover()
		srv.ResetCalls()
		srv.Fail(3, c.code, c.status)
		if _, _, err := kek.GenerateDataKey(t.Context(), medical); err == nil {
			t.Errorf("%s: no error", c.code)
		}
		if n := srv.Count(); n != c.calls {
			t.Errorf("%s: %d calls, want %d", c.code, n, c.calls)
		}
	}
}

func TestGrantTokensAreSent(t *testing.T) {
	srv := awskmstest.Start(t)
	arn := srv.CreateKey()
	plain := awskms.Key(srv.Client(), arn)
	_, wrapped, err := plain.GenerateDataKey(t.Context(), medical)
	if err != nil {
		t.Fatal(err)
	}
	// The server has no grants: it refuses any token that it sees.
	kek := awskms.Key(srv.Client(), arn, awskms.GrantTokens("a"), awskms.GrantTokens("b", "c"))
	for method, err := range methods(t.Context(), kek) {
		mustBe(t, method, err, keymgr.ErrKMSDenied)
		if e := (*types.InvalidGrantTokenException)(nil); !errors.As(err, &e) {
			t.Errorf("%s: %v", method, err)
		}
	}
	_, err = plain.Rewrap(t.Context(), wrapped, kek, medical, medical)
	if e := (*types.InvalidGrantTokenException)(nil); !errors.As(err, &e) {
		t.Errorf("the tokens of the source: %v", err)
	}
}
