package awskms_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/awskms"
)

const testARN = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// against returns a KEK of a KMS that always gives the same answer.
func against(t *testing.T, status int, body string) *awskms.KEK {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(srv.Close)
	return awskms.Key(kms.New(kms.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(srv.URL), Retryer: aws.NopRetryer{},
		Credentials: aws.AnonymousCredentials{},
	}), testARN)
}

func TestAnswersThatAreNotWhatWasAskedFor(t *testing.T) {
	key := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for name, c := range map[string]struct {
		body             string
		generate, unwrap error
	}{
		"empty":            {``, keymgr.ErrKMSUnavailable, keymgr.ErrKEKNotAllowed},
		"nothing in it":    {`{}`, keymgr.ErrKMSUnavailable, keymgr.ErrKEKNotAllowed},
		"16 bytes":         {`{"KeyId":"` + testARN + `","CiphertextBlob":"AAAA","Plaintext":"` + key(16) + `"}`, keymgr.ErrKMSUnavailable, keymgr.ErrKeysetInvalid},
		"33 bytes":         {`{"KeyId":"` + testARN + `","CiphertextBlob":"AAAA","Plaintext":"` + key(33) + `"}`, keymgr.ErrKMSUnavailable, keymgr.ErrKeysetInvalid},
		"no ciphertext":    {`{"KeyId":"` + testARN + `","Plaintext":"` + key(32) + `"}`, keymgr.ErrKMSUnavailable, nil},
		"by another key":   {`{"KeyId":"` + strings.Replace(testARN, "1234", "9999", 1) + `","CiphertextBlob":"AAAA","Plaintext":"` + key(32) + `"}`, nil, keymgr.ErrKEKNotAllowed},
		"by a replica key": {`{"KeyId":"` + strings.Replace(testARN, "eu-west-1", "us-east-1", 1) + `","CiphertextBlob":"AAAA","Plaintext":"` + key(32) + `"}`, nil, nil},
	} {
		kek := against(t, 200, c.body)
		dataKey, _, err := kek.GenerateDataKey(t.Context(), medical)
		check(t, name+", GenerateDataKey", err, c.generate)
		if err != nil && dataKey != nil {
			t.Errorf("%s: a data key beside an error", name)
		}
		_, err = kek.Unwrap(t.Context(), []byte("x"), medical)
		check(t, name+", Unwrap", err, c.unwrap)
	}
	kek := against(t, 200, `{}`)
	for _, m := range []string{"Wrap", "Describe"} {
		mustBe(t, m, methods(t.Context(), kek)[m], keymgr.ErrKMSUnavailable)
	}
	mustBe(t, "Rewrap", methods(t.Context(), kek)["Rewrap"], keymgr.ErrKEKNotAllowed)
	kek = against(t, 200, `{"SourceKeyId":"`+testARN+`","KeyId":"`+testARN+`"}`)
	mustBe(t, "Rewrap without ciphertext", methods(t.Context(), kek)["Rewrap"], keymgr.ErrKMSUnavailable)
}

func check(t *testing.T, what string, err, want error) {
	t.Helper()
	if want == nil && err == nil {
		return
	}
	mustBe(t, what, err, want)
}

// Errors of the SDK about a response quote it.
func TestABrokenResponseIsNotQuoted(t *testing.T) {
	const canary = "c2VjcmV0IGRhdGEga2V5"
	for name, body := range map[string]string{
		"object for a blob":  `{"KeyId":"x","Plaintext":{"` + canary + `":1}}`,
		"number for a blob":  `{"KeyId":"x","Plaintext":4242424242}`,
		"cut off":            `{"KeyId":"x","Plaintext":"` + canary,
		"blob for the key":   `{"Plaintext":"AAAA","KeyId":["` + canary + `"]}`,
		"not a JSON at all":  canary,
		"after its own end":  `{"KeyId":"x","Plaintext":"` + canary + `"}` + canary,
		"list for an object": `["` + canary + `"]`,
	} {
		for _, status := range []int{200, 400, 500} {
			kek := against(t, status, body)
			for method, err := range methods(t.Context(), kek) {
				if err == nil {
					t.Errorf("%s, status %d, %s: no error", name, status, method)
					continue
				}
				for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
					if s := fmt.Sprintf(verb, err); strings.Contains(s, canary) || strings.Contains(s, "4242424242") {
						t.Errorf("%s, status %d, %s prints with %s: %s", name, status, method, verb, s)
					}
				}
			}
		}
	}
	mustBe(t, "an HTML page", func() error {
		_, err := against(t, 502, "<html>").Unwrap(t.Context(), []byte("x"), medical)
		return err
	}(), keymgr.ErrKMSUnavailable)
}

func TestWrapAndUnwrapRefuseWhatIsNoDataKey(t *testing.T) {
	kek := against(t, 500, ``)
	for _, n := range []int{0, 16, 31, 33, 4096} {
		_, err := kek.Wrap(t.Context(), make([]byte, n), medical)
		mustBe(t, fmt.Sprintf("wrap of %d bytes", n), err, keymgr.ErrKeysetInvalid)
	}
	for _, n := range []int{0, 6145} {
		_, err := kek.Unwrap(t.Context(), make([]byte, n), medical)
		mustBe(t, fmt.Sprintf("unwrap of %d bytes", n), err, keymgr.ErrKeysetInvalid)
	}
}

func TestCancellationInTheMiddleOfAResponse(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"Plaintext":"`)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	kek := awskms.Key(kms.New(kms.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(srv.URL), Retryer: aws.NopRetryer{}, Credentials: aws.AnonymousCredentials{},
		HTTPClient: httpFunc(func(r *http.Request) (*http.Response, error) {
			defer cancel() // the header is there, the body is not
			return http.DefaultClient.Do(r)
		}),
	}), testARN)
	_, _, err := kek.GenerateDataKey(ctx, medical)
	mustBe(t, "cut off", err, keymgr.ErrKMSUnavailable)
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

type httpFunc func(*http.Request) (*http.Response, error)

func (f httpFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }
