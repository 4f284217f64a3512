package awskms

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go"

	"github.com/fieldcrypt/go/keymgr"
)

// fail says what an error of the SDK means to keymgr. Both can be found in what
// it returns, and the caller's own cancellation too.
func (k *KEK) fail(ctx context.Context, doing string, err error) error {
	class, cause := classify(err), err
	var unreadable *smithy.DeserializationError
	if errors.As(err, &unreadable) {
		// Its text and its snapshot quote the response, which may hold a data key.
		cause = errors.New("the response cannot be read")
	}
	if gone := ctx.Err(); gone != nil && !errors.Is(cause, gone) {
		return fmt.Errorf("awskms: %s %s: %w: %w: %w", doing, k.uri, class, gone, cause)
	}
	return fmt.Errorf("awskms: %s %s: %w: %w", doing, k.uri, class, cause)
}

// unusable is a response with success and without what it must hold.
func (k *KEK) unusable(operation string) error {
	return fmt.Errorf("awskms: %s: %w: the response to %s is incomplete", k.uri, keymgr.ErrKMSUnavailable, operation)
}

// classify returns the sentinel of keymgr for an error of the SDK. What is not
// known for a refusal counts as unavailable, so that an odd answer does not throw
// cached keys away.
func classify(err error) error {
	var api smithy.APIError
	if !fromKMS(err) || !errors.As(err, &api) {
		return keymgr.ErrKMSUnavailable // network, deadline, or no credentials to be had
	}
	switch api.ErrorCode() {
	case "IncorrectKeyException":
		return keymgr.ErrKEKNotAllowed
	case "InvalidCiphertextException":
		return keymgr.ErrKeysetInvalid

	case
		// no permission, or a key that may not or cannot do this
		"AccessDeniedException",
		"NotAuthorizedException",
		"DisabledException",
		"KMSInvalidStateException",
		"NotFoundException",
		"InvalidKeyUsageException",
		"InvalidArnException",
		"InvalidGrantTokenException",
		"UnsupportedOperationException",
		"ValidationException",
		// an account without KMS
		"OptInRequired",
		"SubscriptionRequiredException",
		// credentials that are unknown, deleted or deactivated, or none
		"UnrecognizedClientException",
		"InvalidClientTokenId",
		"MissingAuthenticationTokenException",
		"MissingAuthenticationToken":
		return keymgr.ErrKMSDenied
	}
	// Among the rest, on purpose: ThrottlingException, LimitExceededException,
	// KMSInternalException, DependencyTimeoutException and KeyUnavailableException;
	// ExpiredTokenException, because fresh credentials cure it; and
	// InvalidSignatureException, which a clock that is off and a proxy that changes
	// headers cause as well as a wrong secret.
	return keymgr.ErrKMSUnavailable
}

// fromKMS reports whether KMS itself answered. The errors of other services, such
// as STS, that were asked for credentials are wrapped in those of KMS.
func fromKMS(err error) bool {
	for op := (*smithy.OperationError)(nil); errors.As(err, &op); err = op.Err {
		if op.ServiceID != kms.ServiceID {
			return false
		}
	}
	return true
}
