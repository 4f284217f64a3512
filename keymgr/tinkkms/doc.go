// Package tinkkms makes a KEK of any AEAD that Tink knows how to call: GCP KMS,
// HashiCorp Vault, Azure Key Vault, or a service of one's own. It adds no
// dependency: the caller brings the AEAD. For AWS KMS, package awskms is better:
// its encryption context is readable, and it re-wraps inside the KMS.
//
// The data key is made here, from the system's random source, and encrypted by the
// AEAD with keymgr.WrapContext.AssociatedData as associated data: bytes, not the
// readable context that AWS logs.
//
// # Errors
//
// An AEAD says that it failed and seldom why. What [Classify] does not tell apart
// counts as keymgr.ErrKMSUnavailable, so that an odd answer does not throw cached
// keys away. This also means that without Classify a revoked permission takes
// effect only at Config.MaxStale and not at CacheTTL: give one.
//
// # GCP KMS
//
// With github.com/tink-crypto/tink-go-gcpkms/v2, whose errors are those of
// google.golang.org/api:
//
//	const key = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/medical"
//	client, err := gcpkms.NewClientWithOptions(ctx, "gcp-kms://")
//	aead, err := client.GetAEAD("gcp-kms://" + key)
//	kek, err := tinkkms.New("gcp-kms://"+key, aead, tinkkms.Classify(func(err error) error {
//		var e *googleapi.Error
//		if !errors.As(err, &e) {
//			return nil // network, deadline
//		}
//		switch {
//		case e.Code == 403 || e.Code == 404, e.Code == 400 && strings.Contains(e.Body, "FAILED_PRECONDITION"):
//			return keymgr.ErrKMSDenied // no permission, no such key, disabled or destroyed
//		case e.Code == 400:
//			return keymgr.ErrKeysetInvalid // does not decrypt with this associated data
//		}
//		return nil // 429, 5xx: may pass
//	}))
//
// An AEAD over gRPC has status codes in place of HTTP's: PermissionDenied, NotFound
// and FailedPrecondition are refusals, InvalidArgument is what does not decrypt,
// and all others may pass.
//
// # HashiCorp Vault
//
// With github.com/tink-crypto/tink-go-hcvault/v2 and a key of the transit engine,
// made with derived=true: the associated data goes to Vault as the context, which
// Vault ignores for other keys. [KEK.Probe] finds out.
//
//	const key = "hcvault://vault.example.com:8200/transit/keys/medical"
//	client, err := hcvault.NewClient(key, tlsConfig, token)
//	aead, err := client.GetAEAD(key)
//	kek, err := tinkkms.New(key, aead, tinkkms.Classify(func(err error) error {
//		var e *api.ResponseError
//		switch {
//		case !errors.As(err, &e):
//			return nil
//		case e.StatusCode == 403 || e.StatusCode == 404:
//			return keymgr.ErrKMSDenied
//		case e.StatusCode == 400:
//			return keymgr.ErrKeysetInvalid
//		}
//		return nil // 429, 5xx, sealed: may pass
//	}))
//	err = kek.Probe(ctx)
//
// Look at what your version of a client wraps its errors in before relying on a
// classifier: what errors.As does not find is unavailable.
package tinkkms
