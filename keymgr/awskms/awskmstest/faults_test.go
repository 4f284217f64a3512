package awskmstest_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

// use makes one call with a key.
func use(ctx context.Context, client *kms.Client, id string) error {
	_, err := client.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &id, KeySpec: types.DataKeySpecAes256})
	return err
}

func TestDenyAndAllow(t *testing.T) {
	srv := awskmstest.Start(t)
	medical, finance := srv.CreateKey("alias/medical"), srv.CreateKey("alias/finance")
	client := srv.Client()
	srv.Deny("alias/medical")
	for id, want := range map[string]string{medical: "AccessDeniedException", "alias/medical": "AccessDeniedException", finance: "", "alias/finance": ""} {
		if err := use(t.Context(), client, id); code(err) != want {
			t.Errorf("%s: %v, want %q", id, err, want)
		}
	}
	if _, err := client.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &medical}); code(err) != "AccessDeniedException" {
		t.Errorf("describe: %v", err)
	}
	srv.Allow(medical)
	if err := use(t.Context(), client, "alias/medical"); err != nil {
		t.Errorf("allowed: %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("Deny of a key that is not there must panic")
		}
	}()
	srv.Deny("alias/nobody")
}

func TestThrottleTakesAFractionOfTheCalls(t *testing.T) {
	srv := awskmstest.Start(t)
	arn, client := srv.CreateKey(), srv.Client()
	for fraction, want := range map[float64]int{0: 0, 0.1: 2, 0.25: 5, 0.5: 10, 1: 20} {
		srv.Throttle(fraction)
		throttled := 0
		for range 20 {
			if err := use(t.Context(), client, arn); code(err) == "ThrottlingException" {
				throttled++
			}
		}
		if throttled != want {
			t.Errorf("%v: %d of 20 calls, want %d", fraction, throttled, want)
		}
	}
	srv.Throttle(0.5)
	srv.ResetCalls()
	retrying := srv.Client(func(o *kms.Options) {
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond })
	})
	for range 4 {
		if err := use(t.Context(), retrying, arn); err != nil {
			t.Errorf("with retries: %v", err)
		}
	}
	if n := srv.Count(); n != 7 { // 1, then 2 for each of the others
		t.Errorf("%d calls", n)
	}
}

func TestFailQueuesAnswers(t *testing.T) {
	srv := awskmstest.Start(t)
	arn, client := srv.CreateKey(), srv.Client()
	srv.Fail(2, "KMSInternalException", 500)
	srv.Fail(1, "AccessDeniedException", 400)
	for i, want := range []string{"KMSInternalException", "KMSInternalException", "AccessDeniedException", ""} {
		if err := use(t.Context(), client, arn); code(err) != want {
			t.Errorf("call %d: %v, want %q", i, err, want)
		}
	}
}

func TestDownResetsAndUpIsTheSameAddress(t *testing.T) {
	srv := awskmstest.Start(t)
	arn, client, url := srv.CreateKey(), srv.Client(), srv.URL()
	if err := use(t.Context(), client, arn); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		srv.Down()
		for range 2 {
			if err := use(t.Context(), client, arn); code(err) != "?" {
				t.Errorf("down: %v", err)
			}
		}
		srv.Up()
		if err := use(t.Context(), client, arn); err != nil || srv.URL() != url {
			t.Errorf("up: %v", err)
		}
	}
}

func TestDownCutsWhatHangs(t *testing.T) {
	srv := awskmstest.Start(t)
	arn, client := srv.CreateKey(), srv.Client()
	arrived, release := srv.Hang()
	defer release()
	done := make(chan error)
	go func() { done <- use(context.Background(), client, arn) }()
	<-arrived
	srv.Down()
	if err := <-done; code(err) != "?" {
		t.Errorf("%v", err)
	}
}

func TestHangUntilReleased(t *testing.T) {
	srv := awskmstest.Start(t)
	arn, client := srv.CreateKey(), srv.Client()
	arrived, release := srv.Hang()
	ctx, cancel := context.WithCancel(t.Context())
	stays, leaves := make(chan error), make(chan error)
	go func() { stays <- use(t.Context(), client, arn) }()
	go func() { leaves <- use(ctx, client, arn) }()
	for range 2 {
		if op := <-arrived; op != "GenerateDataKey" {
			t.Errorf("arrived: %s", op)
		}
	}
	cancel()
	if err := <-leaves; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if n := srv.Count(); n != 0 {
		t.Errorf("%d calls answered while the server hangs", n)
	}
	release()
	if err := <-stays; err != nil {
		t.Errorf("released: %v", err)
	}
	release()
	if err := use(t.Context(), client, arn); err != nil {
		t.Errorf("after: %v", err)
	}
}

func TestLatencyEndsWithTheClient(t *testing.T) {
	srv := awskmstest.Start(t)
	arn := srv.CreateKey()
	srv.SetLatency(time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := use(ctx, srv.Client(), arn); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	srv.SetLatency(time.Microsecond)
	if err := use(t.Context(), srv.Client(), arn); err != nil {
		t.Errorf("%v", err)
	}
}

func TestCloseDoesNotWaitForWhatHangs(t *testing.T) {
	srv, err := awskmstest.New(awskmstest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	arn, client := srv.CreateKey(), srv.Client()
	arrived, release := srv.Hang()
	done := make(chan error)
	go func() { done <- use(context.Background(), client, arn) }()
	<-arrived
	srv.Close()
	srv.Close()
	if err := <-done; err == nil {
		t.Error("answered by a closed server")
	}
	release()
	if err := use(t.Context(), client, arn); code(err) != "?" {
		t.Errorf("closed: %v", err)
	}
}

func TestRecoverEndsEverything(t *testing.T) {
	srv := awskmstest.Start(t)
	arn, client := srv.CreateKey(), srv.Client()
	arrived, _ := srv.Hang()
	done := make(chan error)
	go func() { done <- use(t.Context(), client, arn) }()
	<-arrived
	srv.Deny(arn)
	srv.Throttle(1)
	srv.Fail(9, "KMSInternalException", 500)
	srv.ExpireCredentials()
	srv.SetLatency(time.Hour)
	srv.Recover()
	if err := <-done; err != nil {
		t.Errorf("what hung: %v", err)
	}
	srv.Down()
	srv.Recover()
	if err := use(t.Context(), client, arn); err != nil {
		t.Errorf("after: %v", err)
	}
}

func TestConcurrentUse(t *testing.T) {
	srv := awskmstest.Start(t)
	srv.CreateKey("alias/a")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			client := srv.Client()
			for range 20 {
				out, err := client.Encrypt(t.Context(), &kms.EncryptInput{KeyId: aws.String("alias/a"), Plaintext: []byte{byte(i)}})
				if err != nil {
					t.Error(err)
					return
				}
				got, err := client.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: out.CiphertextBlob})
				if err != nil || got.Plaintext[0] != byte(i) {
					t.Error(err)
				}
				srv.CreateKey()
				srv.AddCredentials("user")
				srv.Throttle(0)
				_ = srv.Calls()
			}
		})
	}
	wg.Wait()
	if n := srv.Count("Encrypt", "Decrypt"); n != 8*20*2 {
		t.Errorf("%d calls", n)
	}
}
