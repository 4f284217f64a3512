package awskmstest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	signatureAlgorithm = "AWS4-HMAC-SHA256"
	maxClockSkew       = 5 * time.Minute
	isoBasic           = "20060102T150405Z"
)

// authorization is a parsed Authorization header of Signature Version 4.
type authorization struct {
	accessKeyID   string
	scope         string // date/region/service/aws4_request
	signedHeaders []string
	signature     string
}

// authenticate finds the user who signed a request and verifies the signature.
func (s *Server) authenticate(r *http.Request, body []byte, call *Call) (*user, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return nil, fail("MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	a, err := parseAuthorization(header)
	if err != nil {
		return nil, err
	}
	call.AccessKeyID = a.accessKeyID
	date := r.Header.Get("X-Amz-Date")
	signed, err := time.Parse(isoBasic, date)
	if err != nil {
		return nil, fail("IncompleteSignatureException", "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	if err := s.checkScope(a.scope, date); err != nil {
		return nil, err
	}
	if !slices.Contains(a.signedHeaders, "host") {
		return nil, fail("InvalidSignatureException", "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	u, ok := s.users[a.accessKeyID]
	if !ok || !hmac.Equal([]byte(r.Header.Get("X-Amz-Security-Token")), []byte(u.token)) {
		return nil, fail("UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	want := a.sign(u.secret, date, canonicalRequest(r, a.signedHeaders, body))
	if !hmac.Equal([]byte(want), []byte(a.signature)) {
		return nil, fail("InvalidSignatureException", "The request signature we calculated does not match the signature you provided. "+
			"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	if err := checkSkew(signed, time.Now().UTC()); err != nil {
		return nil, err
	}
	if u.expired {
		return nil, fail("ExpiredTokenException", "The security token included in the request is expired")
	}
	return u, nil
}

func parseAuthorization(header string) (authorization, error) {
	algorithm, rest, _ := strings.Cut(header, " ")
	if algorithm != signatureAlgorithm {
		return authorization{}, fail("IncompleteSignatureException", "Unsupported AWS 'algorithm': '%s'.", algorithm)
	}
	fields := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[name] = value
	}
	var missing []string
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if fields[name] == "" {
			missing = append(missing, "Authorization header requires '"+name+"' parameter.")
		}
	}
	if missing != nil {
		return authorization{}, fail("IncompleteSignatureException", "%s", strings.Join(missing, " "))
	}
	accessKeyID, scope, _ := strings.Cut(fields["Credential"], "/")
	return authorization{
		accessKeyID:   accessKeyID,
		scope:         scope,
		signedHeaders: strings.Split(fields["SignedHeaders"], ";"),
		signature:     fields["Signature"],
	}, nil
}

func (s *Server) checkScope(scope, date string) error {
	parts := strings.Split(scope, "/")
	if len(parts) != 4 || parts[3] != "aws4_request" {
		return fail("IncompleteSignatureException", "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.")
	}
	if parts[1] != s.region {
		return fail("InvalidSignatureException", "Credential should be scoped to a valid region.")
	}
	if parts[2] != "kms" {
		return fail("InvalidSignatureException", "Credential should be scoped to correct service: 'kms'.")
	}
	if parts[0] != date[:8] {
		return fail("InvalidSignatureException", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.", parts[0], date[:8], date)
	}
	return nil
}

func checkSkew(signed, now time.Time) error {
	switch skew := now.Sub(signed); {
	case skew > maxClockSkew:
		return fail("InvalidSignatureException", "Signature expired: %s is now earlier than %s (%s - 5 min.)",
			signed.Format(isoBasic), now.Add(-maxClockSkew).Format(isoBasic), now.Format(isoBasic))
	case skew < -maxClockSkew:
		return fail("InvalidSignatureException", "Signature not yet current: %s is still later than %s (%s + 5 min.)",
			signed.Format(isoBasic), now.Add(maxClockSkew).Format(isoBasic), now.Format(isoBasic))
	}
	return nil
}

// canonicalRequest is the first step of Signature Version 4. KMS requests have
// the path "/".
func canonicalRequest(r *http.Request, signedHeaders []string, body []byte) string {
	query := strings.ReplaceAll(r.URL.Query().Encode(), "+", "%20")
	lines := []string{r.Method, "/", query}
	for _, name := range signedHeaders {
		lines = append(lines, name+":"+canonicalHeader(r, name))
	}
	lines = append(lines, "", strings.Join(signedHeaders, ";"), hexSHA256(body))
	return strings.Join(lines, "\n")
}

func canonicalHeader(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(r.ContentLength, 10)
	}
	values := slices.Clone(r.Header.Values(name))
	for i, v := range values {
		values[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(values, ",")
}

// sign is the rest of Signature Version 4.
func (a authorization) sign(secret, date, canonicalRequest string) string {
	key := []byte("AWS4" + secret)
	for part := range strings.SplitSeq(a.scope, "/") {
		key = hmacSHA256(key, part)
	}
	toSign := strings.Join([]string{signatureAlgorithm, date, a.scope, hexSHA256([]byte(canonicalRequest))}, "\n")
	return hex.EncodeToString(hmacSHA256(key, toSign))
}

func hmacSHA256(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
