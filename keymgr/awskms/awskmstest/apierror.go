package awskmstest

import (
	"fmt"
	"net/http"
)

// apiError is an answer other than 200. KMS answers its errors with 400, also
// those for which its model and its manual name other statuses.
type apiError struct {
	code    string
	message string // "" leaves the member out, as for InvalidCiphertextException
	status  int
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

// member is the name under which the text is sent: the frame around KMS, which
// authorizes and parses, writes it another way than KMS itself.
func (e *apiError) member() string {
	switch e.code {
	case "AccessDeniedException", "SerializationException":
		return "Message"
	}
	return "message"
}

func fail(code, format string, args ...any) *apiError {
	return &apiError{code: code, message: fmt.Sprintf(format, args...), status: http.StatusBadRequest}
}

func invalidCiphertext() *apiError { return fail("InvalidCiphertextException", "") }

func incorrectKey() *apiError {
	return fail("IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.")
}

func notFound(format string, args ...any) *apiError {
	return fail("NotFoundException", format, args...)
}

func invalid(format string, args ...any) *apiError {
	return fail("ValidationException", format, args...)
}

func unsupported(format string, args ...any) *apiError {
	return fail("UnsupportedOperationException", format, args...)
}

func dryRun() *apiError {
	return fail("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")
}

func throttling() *apiError {
	return fail("ThrottlingException", "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.")
}
