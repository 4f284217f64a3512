package awskmstest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

// post sends one signed request as any SDK would and returns the answer. change
// may spoil it, before it is signed.
func post(t *testing.T, srv *awskmstest.Server, operation, body string, change ...func(*http.Request)) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL()+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "TrentService."+operation)
	for _, f := range change {
		f(r)
	}
	sum := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(context.Background(), srv.Credentials(), r, hex.EncodeToString(sum[:]), "kms", srv.Region(), time.Now()); err != nil {
		t.Fatal(err)
	}
	return send(t, r)
}

func send(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

var requestID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func TestAnswerHasTheHeadersOfAWS(t *testing.T) {
	srv := awskmstest.Start(t)
	for _, c := range []struct {
		operation, body string
		status          int
	}{
		{"ListKeys", `{}`, 200},
		{"DescribeKey", `{}`, 400},
		{"NoSuchOperation", `{}`, 400},
	} {
		resp, _ := post(t, srv, c.operation, c.body)
		if resp.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d", c.operation, resp.StatusCode, c.status)
		}
		if got := resp.Header.Get("Content-Type"); got != "application/x-amz-json-1.1" {
			t.Errorf("%s: Content-Type %q", c.operation, got)
		}
		if got := resp.Header.Get("x-amzn-RequestId"); !requestID.MatchString(got) {
			t.Errorf("%s: request id %q", c.operation, got)
		}
	}
}

func TestCreateKeyAnswersWithTheWholeMetadata(t *testing.T) {
	now := time.Date(2026, 2, 3, 4, 5, 6, 789_000_000, time.UTC)
	srv, err := awskmstest.New(awskmstest.Config{Region: "eu-west-1", AccountID: "444455556666", Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	_, body := post(t, srv, "CreateKey", `{"Description":"patients <&>","Tags":[{"TagKey":"app","TagValue":"clinic"}]}`)
	id := regexp.MustCompile(`"KeyId":"([0-9a-f-]{36})"`).FindStringSubmatch(body)
	material := regexp.MustCompile(`"CurrentKeyMaterialId":"([0-9a-f]{64})"`).FindStringSubmatch(body)
	if id == nil || material == nil {
		t.Fatal(body)
	}
	want := `{"KeyMetadata":{"AWSAccountId":"444455556666","KeyId":"` + id[1] + `",` +
		`"Arn":"arn:aws:kms:eu-west-1:444455556666:key/` + id[1] + `","CreationDate":1770091506.789,"Enabled":true,` +
		`"Description":"patients <&>","KeyUsage":"ENCRYPT_DECRYPT","KeyState":"Enabled","Origin":"AWS_KMS","KeyManager":"CUSTOMER",` +
		`"CustomerMasterKeySpec":"SYMMETRIC_DEFAULT","KeySpec":"SYMMETRIC_DEFAULT","EncryptionAlgorithms":["SYMMETRIC_DEFAULT"],` +
		`"MultiRegion":false,"CurrentKeyMaterialId":"` + material[1] + `"}}`
	if body != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
}

func TestOperationsWithoutResultAnswerWithAnEmptyBody(t *testing.T) {
	srv := awskmstest.Start(t)
	arn := srv.CreateKey()
	for _, c := range [][2]string{
		{"DisableKey", `{"KeyId":"` + arn + `"}`},
		{"EnableKey", `{"KeyId":"` + arn + `"}`},
		{"CreateAlias", `{"AliasName":"alias/a","TargetKeyId":"` + arn + `"}`},
		{"UpdateAlias", `{"AliasName":"alias/a","TargetKeyId":"` + arn + `"}`},
		{"DeleteAlias", `{"AliasName":"alias/a"}`},
	} {
		resp, body := post(t, srv, c[0], c[1])
		if resp.StatusCode != 200 || body != "" {
			t.Errorf("%s: %d %q", c[0], resp.StatusCode, body)
		}
	}
}

func TestErrorBodies(t *testing.T) {
	srv := awskmstest.Start(t)
	arn := srv.CreateKey("alias/a")
	denied := srv.CreateKey()
	srv.Deny(denied)
	for name, c := range map[string]struct{ operation, body, want string }{
		"modelled error": {"DescribeKey", `{"KeyId":"alias/b"}`,
			`{"__type":"NotFoundException","message":"Alias arn:aws:kms:us-east-1:111122223333:alias/b is not found."}`},
		"error without text": {"Decrypt", `{"CiphertextBlob":"AAAA","KeyId":"` + arn + `"}`,
			`{"__type":"InvalidCiphertextException"}`},
		"refusal": {"Encrypt", `{"KeyId":"` + denied + `","Plaintext":"AAAA"}`,
			`{"Message":"User: arn:aws:iam::111122223333:user/test is not authorized to perform: kms:Encrypt on resource: ` + denied +
				` with an explicit deny in a resource-based policy","__type":"AccessDeniedException"}`},
		"missing member": {"DescribeKey", `{}`,
			`{"__type":"ValidationException","message":"1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null"}`},
		"two violations": {"Encrypt", `{"KeyId":""}`,
			`{"__type":"ValidationException","message":"2 validation errors detected: Value '' at 'keyId' failed to satisfy constraint: Member must have length greater than or equal to 1; ` +
				`Value null at 'plaintext' failed to satisfy constraint: Member must not be null"}`},
		"null is nothing": {"DescribeKey", `{"KeyId":null}`,
			`{"__type":"ValidationException","message":"1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null"}`},
		"names are case-sensitive": {"DescribeKey", `{"keyId":"alias/a","KEYID":"alias/a"}`,
			`{"__type":"ValidationException","message":"1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null"}`},
		"number for a string": {"DescribeKey", `{"KeyId":5}`,
			`{"Message":"NUMBER_VALUE can not be converted to a String","__type":"SerializationException"}`},
		"string for a number": {"ListKeys", `{"Limit":"5"}`,
			`{"Message":"STRING_VALUE can not be converted to a Integer","__type":"SerializationException"}`},
		"string for a boolean": {"CreateKey", `{"MultiRegion":"true"}`,
			`{"Message":"STRING_VALUE can not be converted to a Boolean","__type":"SerializationException"}`},
		"object for a string": {"DescribeKey", `{"KeyId":{}}`,
			`{"Message":"Start of structure or map found where not expected.","__type":"SerializationException"}`},
		"list for the request": {"ListKeys", ` [1]`,
			`{"Message":"Start of list found where not expected.","__type":"SerializationException"}`},
		"no JSON":   {"ListKeys", `{"Limit":`, `{"__type":"SerializationException"}`},
		"no base64": {"Encrypt", `{"KeyId":"` + arn + `","Plaintext":"?"}`, `{"__type":"SerializationException"}`},
		"unknown":   {"Explode", `{}`, `{"__type":"UnknownOperationException"}`},
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := post(t, srv, c.operation, c.body)
			if resp.StatusCode != 400 || body != c.want {
				t.Errorf("%d\ngot  %s\nwant %s", resp.StatusCode, body, c.want)
			}
		})
	}
}

func TestEmptyBodyAndUnknownMembersAreAccepted(t *testing.T) {
	srv := awskmstest.Start(t)
	arn := srv.CreateKey()
	if resp, body := post(t, srv, "ListKeys", ""); resp.StatusCode != 200 || !strings.Contains(body, arn) {
		t.Errorf("empty body: %d %s", resp.StatusCode, body)
	}
	if resp, body := post(t, srv, "DescribeKey", `{"KeyId":"`+arn+`","Fresh":{"from":["next","year"]}}`); resp.StatusCode != 200 {
		t.Errorf("unknown member: %d %s", resp.StatusCode, body)
	}
}

func TestWhatIsNoCallOfTheAPI(t *testing.T) {
	srv := awskmstest.Start(t)
	get, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, body := send(t, get); resp.StatusCode != 404 || !strings.Contains(body, "UnknownOperationException") {
		t.Errorf("GET: %d %s", resp.StatusCode, body)
	}
	resp, _ := post(t, srv, "ListKeys", `{}`, func(r *http.Request) { r.Header.Set("X-Amz-Target", "DynamoDB_20120810.ListTables") })
	if resp.StatusCode != 404 {
		t.Errorf("target of another service: %d", resp.StatusCode)
	}
	resp, body := post(t, srv, "Encrypt", `{"Plaintext":"`+strings.Repeat("A", 2<<20)+`"}`)
	if resp.StatusCode != 413 || !strings.Contains(body, "RequestEntityTooLargeException") {
		t.Errorf("2 MiB: %d %s", resp.StatusCode, body)
	}
	if n := srv.Count(); n != 0 {
		t.Errorf("%d calls", n)
	}
}

func TestSuccessIsValidJSONWithoutNewline(t *testing.T) {
	srv := awskmstest.Start(t)
	_, body := post(t, srv, "GenerateRandom", `{"NumberOfBytes":3}`)
	var out map[string][]byte
	if err := json.Unmarshal([]byte(body), &out); err != nil || len(out["Plaintext"]) != 3 || bytes.HasSuffix([]byte(body), []byte("\n")) {
		t.Errorf("%q: %v", body, err)
	}
}
