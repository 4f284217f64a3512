package awskmstest

import (
	"net/http"
	"testing"
)

// The cases get-vanilla and post-vanilla of the test suite that AWS published
// for Signature Version 4.
func TestSignatureVectorsOfAWS(t *testing.T) {
	for method, want := range map[string]string{
		http.MethodGet:  "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
		http.MethodPost: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
	} {
		r, err := http.NewRequest(method, "https://example.amazonaws.com/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Date", "20150830T123600Z")
		a, err := parseAuthorization("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + want)
		if err != nil {
			t.Fatal(err)
		}
		got := a.sign("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830T123600Z", canonicalRequest(r, a.signedHeaders, nil))
		if got != a.signature {
			t.Errorf("%s: %s, want %s", method, got, want)
		}
	}
}
