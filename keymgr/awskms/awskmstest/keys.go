package awskmstest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"time"
)

const (
	specSymmetric = "SYMMETRIC_DEFAULT"
	specHMAC      = "HMAC_256"
	usageEncrypt  = "ENCRYPT_DECRYPT"
	usageMAC      = "GENERATE_VERIFY_MAC"

	stateEnabled  = "Enabled"
	stateDisabled = "Disabled"
	statePending  = "PendingDeletion"
)

// key is a KMS key.
type key struct {
	id          string // UUID, or "mrk-" and 32 hex digits
	arn         string
	spec, usage string
	description string
	created     time.Time
	state       string
	deletion    time.Time // while its deletion is pending
	multiRegion bool
	policy      string
	tags        map[string]string
	materials   []*material // oldest first, the last one encrypts; none for HMAC keys
}

// material is the secret of a key. Nothing holds its bytes: they are behind the
// AEAD.
type material struct {
	id   [32]byte
	aead cipher.AEAD // AES-256-GCM with random ivs
}

func newMaterial() *material {
	secret := make([]byte, 32)
	rand.Read(secret) // never fails
	block, err := aes.NewCipher(secret)
	if err != nil {
		panic(err) // 32 bytes are a key
	}
	clear(secret)
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // AES has 16-byte blocks
	}
	m := &material{aead: aead}
	rand.Read(m.id[:])
	return m
}

func (m *material) hexID() string { return hex.EncodeToString(m.id[:]) }

func (k *key) current() *material { return k.materials[len(k.materials)-1] }

// addKey makes a key in the state Enabled.
func (s *Server) addKey(k *key) *key {
	k.id = randomUUID()
	if k.multiRegion {
		k.id = "mrk-" + randomID()
	}
	k.arn = s.arn("kms", "key/"+k.id)
	k.state = stateEnabled
	if k.spec == specSymmetric {
		k.materials = []*material{newMaterial()}
	}
	s.keys[k.id] = k
	return k
}

// CreateKey makes a symmetric encryption key and any number of aliases of it,
// and returns its ARN. It is no call that Calls shows. It panics if KMS would
// refuse an alias.
func (s *Server) CreateKey(aliases ...string) (arn string) {
	now := s.now().UTC()
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.addKey(&key{spec: specSymmetric, usage: usageEncrypt, created: now})
	for _, name := range aliases {
		if err := s.addAlias(name, k, now); err != nil {
			panic("awskmstest: " + err.Error())
		}
	}
	return k.arn
}

// deleteDue deletes the keys whose waiting time is over, and their aliases.
func (s *Server) deleteDue(now time.Time) {
	for id, k := range s.keys {
		if k.state != statePending || now.Before(k.deletion) {
			continue
		}
		delete(s.keys, id)
		for name, a := range s.aliases {
			if a.target == k {
				delete(s.aliases, name)
			}
		}
	}
}

// usable refuses keys that no cryptographic operation may use now.
func (k *key) usable(operation string) error {
	switch {
	case k.usage != usageEncrypt:
		return fail("InvalidKeyUsageException", "%s key usage is %s which is not valid for %s.", k.arn, k.usage, operation)
	case k.state == stateDisabled:
		return fail("DisabledException", "%s is disabled.", k.arn)
	}
	return k.notPending()
}

// notPending refuses keys whose deletion is pending.
func (k *key) notPending() error {
	if k.state == statePending {
		return fail("KMSInvalidStateException", "%s is pending deletion.", k.arn)
	}
	return nil
}
