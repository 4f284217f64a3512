package awskmstest

const (
	maxPlaintext  = 4096
	maxCiphertext = 6144
)

func (s *Server) encrypt(r *request) (any, error) {
	id := r.keyID("KeyId", true)
	plaintext := r.blob("Plaintext", maxPlaintext)
	context := r.stringMap("EncryptionContext")
	algorithm := r.algorithm("EncryptionAlgorithm")
	r.grantTokens()
	r.call.EncryptionContext = context
	k, err := s.cryptoKey(r, id, r.operation, algorithm)
	if err != nil {
		return nil, err
	}
	if r.boolean("DryRun") {
		return nil, dryRun()
	}
	return struct {
		CiphertextBlob      []byte
		KeyId               string
		EncryptionAlgorithm string
	}{seal(k, plaintext, context), k.arn, specSymmetric}, nil
}

func (s *Server) decrypt(r *request) (any, error) {
	blob := r.ciphertext()
	id := r.keyID("KeyId", false)
	context := r.stringMap("EncryptionContext")
	algorithm := r.algorithm("EncryptionAlgorithm")
	r.grantTokens()
	r.call.EncryptionContext = context
	k, plaintext, m, err := s.openBlob(r, blob, context, id, r.operation, algorithm)
	if err != nil {
		return nil, err
	}
	if r.boolean("DryRun") {
		return nil, dryRun()
	}
	return struct {
		KeyId               string
		Plaintext           []byte
		EncryptionAlgorithm string
		KeyMaterialId       string
	}{k.arn, plaintext, specSymmetric, m.hexID()}, nil
}

func (s *Server) reEncrypt(r *request) (any, error) {
	blob := r.ciphertext()
	sourceID := r.keyID("SourceKeyId", false)
	destinationID := r.keyID("DestinationKeyId", true)
	sourceContext := r.stringMap("SourceEncryptionContext")
	destinationContext := r.stringMap("DestinationEncryptionContext")
	sourceAlgorithm := r.algorithm("SourceEncryptionAlgorithm")
	destinationAlgorithm := r.algorithm("DestinationEncryptionAlgorithm")
	r.grantTokens()
	r.call.SourceEncryptionContext, r.call.EncryptionContext = sourceContext, destinationContext
	source, plaintext, sourceMaterial, err := s.openBlob(r, blob, sourceContext, sourceID, "ReEncryptFrom", sourceAlgorithm)
	if err != nil {
		return nil, err
	}
	destination, err := s.cryptoKey(r, destinationID, "ReEncryptTo", destinationAlgorithm)
	if err != nil {
		return nil, err
	}
	if r.boolean("DryRun") {
		return nil, dryRun()
	}
	return struct {
		CiphertextBlob                 []byte
		SourceKeyId                    string
		KeyId                          string
		SourceEncryptionAlgorithm      string
		DestinationEncryptionAlgorithm string
		SourceKeyMaterialId            string
		DestinationKeyMaterialId       string
	}{
		seal(destination, plaintext, destinationContext), source.arn, destination.arn, specSymmetric, specSymmetric,
		sourceMaterial.hexID(), destination.current().hexID(),
	}, nil
}

// openBlob decrypts a blob with the key that the caller names or, without one,
// the key that the blob names.
func (s *Server) openBlob(r *request, blob []byte, context map[string]string, id, action, algorithm string) (*key, []byte, *material, error) {
	if err := r.err(); err != nil {
		return nil, nil, nil, err
	}
	if r.blind {
		if id == "" {
			return nil, nil, nil, invalid("A key must be specified when the ciphertext is ignored.")
		}
		k, err := s.cryptoKey(r, id, action, algorithm)
		return k, nil, nil, err
	}
	h, sealed, badBlob := parseBlob(blob)
	if id == "" {
		if badBlob != nil {
			return nil, nil, nil, badBlob
		}
		if k, ok := s.keys[h.keyID]; !ok || s.authorize(r, k, action) != nil {
			return nil, nil, nil, fail("AccessDeniedException", "The ciphertext refers to a customer master key that does not exist, "+
				"does not exist in this region, or you are not allowed to access.")
		}
		id = h.keyID
	}
	k, err := s.cryptoKey(r, id, action, algorithm)
	switch {
	case k != nil && badBlob == nil && h.keyID != k.id:
		return nil, nil, nil, incorrectKey() // also when the key named could not decrypt at all
	case err != nil:
		return nil, nil, nil, err
	case badBlob != nil:
		return nil, nil, nil, badBlob
	}
	plaintext, m, err := open(k, h, sealed, context)
	return k, plaintext, m, err
}

// ciphertext reads CiphertextBlob, which a dry run with IGNORE_CIPHERTEXT can do
// without: it asks for permissions alone.
func (r *request) ciphertext() []byte {
	modifiers := r.strings("DryRunModifiers", false, 1, 0, 256)
	for i, m := range modifiers {
		if m != "IGNORE_CIPHERTEXT" {
			r.violate("Value '%s' at 'dryRunModifiers.%d.member' failed to satisfy constraint: Member must satisfy enum value set: [IGNORE_CIPHERTEXT]", m, i+1)
		}
	}
	r.blind = r.boolean("DryRun") && len(modifiers) > 0
	if r.blind && !r.has("CiphertextBlob") {
		return nil
	}
	return r.blob("CiphertextBlob", maxCiphertext)
}

// cryptoKey finds a key and refuses what cannot encrypt. It returns the key also
// beside an error about its usage or state.
func (s *Server) cryptoKey(r *request, id, action, algorithm string) (*key, error) {
	if r.has("Recipient") {
		return nil, unsupported("This server cannot check attestation documents.")
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	k, err := s.keyOrAlias(r, id, action)
	if err != nil {
		return nil, err
	}
	if err := k.usable(r.operation); err != nil {
		return k, err
	}
	if algorithm != specSymmetric {
		return k, fail("InvalidKeyUsageException", "Algorithm %s is incompatible with key spec %s.", algorithm, k.spec)
	}
	return k, nil
}

func (p *params) algorithm(name string) string {
	return orDefault(p.enum(name, specSymmetric, "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"), specSymmetric)
}
