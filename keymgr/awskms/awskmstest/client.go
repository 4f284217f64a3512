package awskmstest

import (
	"context"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
)

// Client returns an SDK client of the server with its default credentials. It
// looks nothing up in the environment and does not retry, so that a test counts
// exactly the calls that it makes; give a Retryer to see retries.
func (s *Server) Client(optFns ...func(*kms.Options)) *kms.Client {
	return s.ClientAs(s.Credentials(), optFns...)
}

// ClientAs is Client with other credentials: those of AddCredentials, or wrong
// ones.
func (s *Server) ClientAs(creds aws.Credentials, optFns ...func(*kms.Options)) *kms.Client {
	return kms.New(kms.Options{
		Region:       s.region,
		BaseEndpoint: aws.String(s.url),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return creds, nil
		}),
		HTTPClient: &httpClient{http.Client{Transport: s.transport}},
		Retryer:    aws.NopRetryer{},
	}, optFns...)
}

// httpClient hides the WriteTo of the SDK's request bodies. net/http reads a body
// once more after its last byte; the SDK closes it as soon as there is an answer,
// and its WriteTo then returns io.EOF as an error, for which net/http cuts the
// connection in the middle of the answer. That takes a server as near as this one.
type httpClient struct{ http.Client }

func (c *httpClient) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return c.Client.Do(r)
}
