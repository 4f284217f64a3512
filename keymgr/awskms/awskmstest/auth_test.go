package awskmstest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

const emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// unsigned is a ListKeys request with an empty body.
func unsigned(t *testing.T, srv *awskmstest.Server) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "TrentService.ListKeys")
	return r
}

func TestSignatureIsChecked(t *testing.T) {
	srv := awskmstest.Start(t)
	for name, c := range map[string]struct {
		service, region string
		at              time.Duration
		spoil           func(*http.Request) // after signing
		want            string
	}{
		"right":             {want: ""},
		"4 minutes old":     {at: -4 * time.Minute, want: ""},
		"no signature":      {spoil: func(r *http.Request) { r.Header.Del("Authorization") }, want: `{"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}`},
		"another algorithm": {spoil: func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, want: "IncompleteSignatureException"},
		"no parameters":     {spoil: func(r *http.Request) { r.Header.Set("Authorization", "AWS4-HMAC-SHA256") }, want: "requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter."},
		"no date":           {spoil: func(r *http.Request) { r.Header.Del("X-Amz-Date") }, want: "IncompleteSignatureException"},
		"short scope":       {spoil: func(r *http.Request) { edit(r, "/aws4_request", "") }, want: "IncompleteSignatureException"},
		"date of another day": {spoil: func(r *http.Request) {
			edit(r, "Credential="+awskmstest.DefaultAccessKeyID+"/20", "Credential="+awskmstest.DefaultAccessKeyID+"/19")
		}, want: "Date in Credential scope does not match"},
		"another region":       {region: "eu-west-1", want: "Credential should be scoped to a valid region."},
		"another service":      {service: "s3", want: "Credential should be scoped to correct service: 'kms'."},
		"changed header":       {spoil: func(r *http.Request) { r.Header.Set("X-Amz-Target", "TrentService.CreateKey") }, want: "InvalidSignatureException"},
		"changed body":         {spoil: func(r *http.Request) { r.Body = http.NoBody; r.URL.RawQuery = "a=b" }, want: "InvalidSignatureException"},
		"host is not signed":   {spoil: func(r *http.Request) { edit(r, ";host", "") }, want: "'Host' or ':authority' must be a 'SignedHeader'"},
		"6 minutes old":        {at: -6 * time.Minute, want: "Signature expired: "},
		"6 minutes early":      {at: 6 * time.Minute, want: "Signature not yet current: "},
		"unknown key":          {spoil: func(r *http.Request) { edit(r, awskmstest.DefaultAccessKeyID, "AKIANOBODY") }, want: `{"__type":"UnrecognizedClientException","message":"The security token included in the request is invalid."}`},
		"unknown session":      {spoil: func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "x") }, want: "UnrecognizedClientException"},
		"signature cut by one": {spoil: func(r *http.Request) { a := r.Header.Get("Authorization"); r.Header.Set("Authorization", a[:len(a)-1]) }, want: "The request signature we calculated does not match the signature you provided."},
	} {
		t.Run(name, func(t *testing.T) {
			r := unsigned(t, srv)
			service, region := c.service, c.region
			if service == "" {
				service = "kms"
			}
			if region == "" {
				region = srv.Region()
			}
			if err := v4.NewSigner().SignHTTP(t.Context(), srv.Credentials(), r, emptySHA256, service, region, time.Now().Add(c.at)); err != nil {
				t.Fatal(err)
			}
			if c.spoil != nil {
				c.spoil(r)
			}
			resp, body := send(t, r)
			if c.want == "" && resp.StatusCode != 200 || c.want != "" && (resp.StatusCode != 400 || !strings.Contains(body, c.want)) {
				t.Errorf("%d %s, want %q", resp.StatusCode, body, c.want)
			}
		})
	}
}

// edit changes the Authorization header.
func edit(r *http.Request, old, new string) {
	r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, new, 1))
}

func TestHeadersWithSpacesAndSeveralValuesAreSignedAsOthersDo(t *testing.T) {
	srv := awskmstest.Start(t)
	r := unsigned(t, srv)
	r.Header["X-Amz-Meta"] = []string{"  a   b ", "c"}
	r.URL.RawQuery = "b=2+3&a=%20x*~"
	if err := v4.NewSigner().SignHTTP(t.Context(), srv.Credentials(), r, emptySHA256, "kms", srv.Region(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if resp, body := send(t, r); resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestCredentials(t *testing.T) {
	srv := awskmstest.Start(t)
	list := func(c *kms.Client) string {
		_, err := c.ListKeys(t.Context(), &kms.ListKeysInput{})
		return code(err)
	}
	alice := srv.AddCredentials("alice")
	if got := list(srv.ClientAs(alice)); got != "" {
		t.Errorf("alice: %s", got)
	}
	if c := srv.Calls()[0]; c.Principal != "arn:aws:iam::111122223333:user/alice" || c.AccessKeyID != alice.AccessKeyID {
		t.Errorf("%+v", c)
	}
	forged := alice
	forged.SecretAccessKey += "x"
	if got := list(srv.ClientAs(forged)); got != "InvalidSignatureException" {
		t.Errorf("wrong secret: %s", got)
	}
	stranger := alice
	stranger.AccessKeyID = "AKIASTRANGER"
	if got := list(srv.ClientAs(stranger)); got != "UnrecognizedClientException" {
		t.Errorf("unknown access key: %s", got)
	}

	srv.ExpireCredentials()
	if got := list(srv.Client()) + list(srv.ClientAs(alice)); got != "ExpiredTokenExceptionExpiredTokenException" {
		t.Errorf("expired: %s", got)
	}
	if got := list(srv.ClientAs(srv.AddCredentials("alice"))); got != "" {
		t.Errorf("fresh: %s", got)
	}
	srv.Recover()
	if got := list(srv.Client()) + list(srv.ClientAs(alice)); got != "" {
		t.Errorf("recovered: %s", got)
	}
}
