package awskmstest

import (
	"maps"
	"slices"
	"strings"
)

// keyMetadata is the KeyMetadata of the API.
type keyMetadata struct {
	AWSAccountId             string
	KeyId                    string
	Arn                      string
	CreationDate             timestamp
	Enabled                  bool
	Description              string
	KeyUsage                 string
	KeyState                 string
	DeletionDate             timestamp `json:",omitzero"`
	PendingDeletionWindow    int       `json:"PendingDeletionWindowInDays,omitempty"`
	Origin                   string
	KeyManager               string
	CustomerMasterKeySpec    string
	KeySpec                  string
	EncryptionAlgorithms     []string `json:",omitempty"`
	MacAlgorithms            []string `json:",omitempty"`
	MultiRegion              bool
	MultiRegionConfiguration *multiRegionConfiguration `json:",omitempty"`
	CurrentKeyMaterialId     string                    `json:",omitempty"`
}

type multiRegionConfiguration struct {
	MultiRegionKeyType string
	PrimaryKey         multiRegionKey
	ReplicaKeys        []multiRegionKey
}

type multiRegionKey struct{ Arn, Region string }

func (s *Server) metadata(k *key) keyMetadata {
	m := keyMetadata{
		AWSAccountId:          s.account.id,
		KeyId:                 k.id,
		Arn:                   k.arn,
		CreationDate:          timestamp{k.created},
		Enabled:               k.state == stateEnabled,
		Description:           k.description,
		KeyUsage:              k.usage,
		KeyState:              k.state,
		DeletionDate:          timestamp{k.deletion},
		Origin:                "AWS_KMS",
		KeyManager:            "CUSTOMER",
		CustomerMasterKeySpec: k.spec,
		KeySpec:               k.spec,
		MultiRegion:           k.multiRegion,
	}
	if k.spec == specSymmetric {
		m.EncryptionAlgorithms = []string{specSymmetric}
		m.CurrentKeyMaterialId = k.current().hexID()
	} else {
		m.MacAlgorithms = []string{"HMAC_SHA_256"}
	}
	if k.state == statePendingReplica {
		m.PendingDeletionWindow = k.waiting
	}
	if k.multiRegion {
		m.MultiRegionConfiguration = &multiRegionConfiguration{
			MultiRegionKeyType: k.multiRegionType(),
			PrimaryKey:         multiRegionKey{k.primary.arn, k.primary.region},
			ReplicaKeys:        []multiRegionKey{},
		}
		for _, replica := range k.replicas() {
			m.MultiRegionConfiguration.ReplicaKeys = append(m.MultiRegionConfiguration.ReplicaKeys, multiRegionKey{replica.arn, replica.region})
		}
	}
	return m
}

type keyMetadataResponse struct{ KeyMetadata keyMetadata }

func (s *Server) createKey(r *request) (any, error) {
	k := &key{
		description: r.str("Description", false, 0, 8192),
		multiRegion: r.boolean("MultiRegion"),
		created:     r.now,
	}
	tags, policyText := r.tags("Tags"), r.policyText(false)
	bypass := r.boolean("BypassPolicyLockoutSafetyCheck")
	usage := r.enum("KeyUsage", "SIGN_VERIFY", usageEncrypt, usageMAC, "KEY_AGREEMENT")
	spec := r.enum("KeySpec", keySpecs()...)
	oldSpec := r.enum("CustomerMasterKeySpec", keySpecs()...)
	origin := r.enum("Origin", "AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE")
	if err := r.err(); err != nil {
		return nil, err
	}
	if spec != "" && oldSpec != "" {
		return nil, invalid("You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is deprecated.")
	}
	k.spec = orDefault(spec+oldSpec, specSymmetric)
	if usage == "" && k.spec != specSymmetric {
		return nil, invalid("You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
	}
	k.usage = orDefault(usage, usageEncrypt)
	if orDefault(origin, "AWS_KMS") != "AWS_KMS" || r.has("CustomKeyStoreId") || r.has("XksKeyId") {
		return nil, unsupported("This server makes keys of the origin AWS_KMS only.")
	}
	switch {
	case k.spec == specSymmetric && k.usage == usageEncrypt, k.spec == specHMAC && k.usage == usageMAC:
	case k.spec == specSymmetric, k.spec == specHMAC:
		return nil, invalid("KeyUsage %s is not compatible with KeySpec %s", k.usage, k.spec)
	default:
		return nil, unsupported("This server has no keys of the spec %s.", k.spec)
	}
	if err := s.authorizeAccount(r, "*", r.operation); err != nil {
		return nil, err
	}
	var err error
	if k.policy, err = s.newPolicy(r, nil, policyText, bypass); err != nil {
		return nil, err
	}
	if k.tags, err = tagMap(tags); err != nil {
		return nil, err
	}
	if len(k.tags) > 0 {
		if err := s.authorizeAccount(r, "*", "TagResource"); err != nil {
			return nil, err
		}
	}
	s.addKey(k)
	r.call.KeyARN = k.arn
	return keyMetadataResponse{s.metadata(k)}, nil
}

func (s *Server) describeKey(r *request) (any, error) {
	id := r.keyID("KeyId", true)
	r.grantTokens()
	if err := r.err(); err != nil {
		return nil, err
	}
	k, err := s.keyOrAlias(r, id, r.operation)
	if err != nil {
		return nil, err
	}
	return keyMetadataResponse{s.metadata(k)}, nil
}

func (s *Server) listKeys(r *request) (any, error) {
	type entry struct{ KeyId, KeyArn string }
	pg := r.page(100, 1000)
	if err := r.err(); err != nil {
		return nil, err
	}
	if err := s.authorizeAccount(r, "*", r.operation); err != nil {
		return nil, err
	}
	ids, next, err := pg.of(slices.Sorted(maps.Keys(s.keys)))
	if err != nil {
		return nil, err
	}
	entries := []entry{}
	for _, id := range ids {
		entries = append(entries, entry{id, s.keys[id].arn})
	}
	return struct {
		Keys       []entry
		NextMarker string `json:",omitempty"`
		Truncated  bool
	}{entries, next, next != ""}, nil
}

func keySpecs() []string {
	return strings.Fields("RSA_2048 RSA_3072 RSA_4096 ECC_NIST_P256 ECC_NIST_P384 ECC_NIST_P521 ECC_SECG_P256K1 " +
		"SYMMETRIC_DEFAULT HMAC_224 HMAC_256 HMAC_384 HMAC_512 SM2 ML_DSA_44 ML_DSA_65 ML_DSA_87 ECC_NIST_EDWARDS25519")
}
