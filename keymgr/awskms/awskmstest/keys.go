package awskmstest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"time"
)

const (
	specSymmetric = "SYMMETRIC_DEFAULT"
	specHMAC      = "HMAC_256"
	usageEncrypt  = "ENCRYPT_DECRYPT"
	usageMAC      = "GENERATE_VERIFY_MAC"

	stateEnabled        = "Enabled"
	stateDisabled       = "Disabled"
	statePending        = "PendingDeletion"
	statePendingReplica = "PendingReplicaDeletion" // of a primary that waits for its replicas' end
)

// key is a KMS key.
type key struct {
	*lineage
	id          string // UUID, or "mrk-" and 32 hex digits
	arn         string
	region      string
	spec, usage string
	description string
	created     time.Time
	state       string
	deletion    time.Time // while its deletion is pending
	waiting     int       // days from ScheduleKeyDeletion to the deletion
	multiRegion bool
	policy      keyPolicy
	tags        map[string]string
}

// material is the secret of a key. Nothing holds its bytes: they are behind the
// AEAD.
type material struct {
	id   [32]byte
	aead cipher.AEAD // AES-256-GCM with random ivs

	rotated  time.Time // zero for the first
	onDemand bool
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

// addKey makes a key in the state Enabled, with the default policy if it has none.
func (s *Server) addKey(k *key) *key {
	k.id = randomUUID()
	if k.multiRegion {
		k.id = "mrk-" + randomID()
	}
	k.lineage = &lineage{primary: k}
	if k.spec == specSymmetric {
		k.materials = []*material{newMaterial()}
	}
	s.admit(k)
	return k
}

// admit makes a key one of this region's.
func (s *Server) admit(k *key) {
	k.arn, k.region, k.state = s.arn("kms", "key/"+k.id), s.region, stateEnabled
	if k.policy.text == "" {
		k.policy = s.defaultPolicy()
	}
	k.members = append(k.members, k)
	s.keys[k.id] = k
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

// tick does what time has brought: it deletes the keys whose waiting time is
// over, and rotates those whose turn has come.
func (a *account) tick() {
	for _, s := range a.regions {
		now := s.now().UTC()
		for _, k := range s.keys {
			if k.state == statePending && !now.Before(k.deletion) {
				s.delete(k, now)
			} else if !k.isReplica() {
				k.rotation.catchUp(k, now)
			}
		}
	}
}

// delete removes a key, its aliases and its grants.
func (s *Server) delete(k *key, now time.Time) {
	delete(s.keys, k.id)
	for name, a := range s.aliases {
		if a.target == k {
			delete(s.aliases, name)
		}
	}
	s.grants.removeOf(k)
	k.members = slices.DeleteFunc(k.members, func(other *key) bool { return other == k })
	if p := k.primary; p.state == statePendingReplica && len(p.replicas()) == 0 {
		p.state, p.deletion = statePending, now.AddDate(0, 0, p.waiting)
	}
}

// usable refuses keys that no cryptographic operation may use now.
func (k *key) usable(operation string) error {
	if k.usage != usageEncrypt {
		return fail("InvalidKeyUsageException", "%s key usage is %s which is not valid for %s.", k.arn, k.usage, operation)
	}
	return k.enabled()
}

// notPending refuses keys whose deletion is pending.
func (k *key) notPending() error {
	switch k.state {
	case statePending:
		return fail("KMSInvalidStateException", "%s is pending deletion.", k.arn)
	case statePendingReplica:
		return fail("KMSInvalidStateException", "%s is pending replica deletion.", k.arn)
	}
	return nil
}

// enabled refuses keys that are disabled or whose deletion is pending.
func (k *key) enabled() error {
	if k.state == stateDisabled {
		return fail("DisabledException", "%s is disabled.", k.arn)
	}
	return k.notPending()
}

// symmetric refuses keys that are not for symmetric encryption.
func (k *key) symmetric() error {
	if k.spec != specSymmetric {
		return unsupported("%s key spec is %s which is not valid for this operation.", k.arn, k.spec)
	}
	return nil
}
