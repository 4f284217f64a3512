package awskmstest

import "crypto/rand"

const maxRandom = 1024

type dataKey struct {
	CiphertextBlob []byte
	Plaintext      []byte `json:",omitempty"`
	KeyId          string
	KeyMaterialId  string
}

func (s *Server) generateDataKey(r *request) (any, error) { return s.newDataKey(r) }

func (s *Server) generateDataKeyWithoutPlaintext(r *request) (any, error) {
	out, err := s.newDataKey(r)
	if err != nil {
		return nil, err
	}
	out.Plaintext = nil
	return out, nil
}

func (s *Server) newDataKey(r *request) (*dataKey, error) {
	id := r.keyID("KeyId", true)
	spec := r.enum("KeySpec", "AES_256", "AES_128")
	n := r.integer("NumberOfBytes", 1, maxRandom)
	context := r.stringMap("EncryptionContext")
	r.grantTokens()
	r.call.EncryptionContext = context
	if err := r.err(); err != nil {
		return nil, err
	}
	if (spec == "") == (n == nil) {
		return nil, invalid("Please specify either number of bytes or key spec.")
	}
	k, err := s.cryptoKey(r, id, r.operation, specSymmetric)
	if err != nil {
		return nil, err
	}
	if r.boolean("DryRun") {
		return nil, dryRun()
	}
	plaintext := make([]byte, dataKeySize(spec, n))
	rand.Read(plaintext) // never fails
	return &dataKey{
		CiphertextBlob: seal(k, plaintext, context),
		Plaintext:      plaintext,
		KeyId:          k.arn,
		KeyMaterialId:  k.current().hexID(),
	}, nil
}

func dataKeySize(spec string, n *int) int {
	switch spec {
	case "AES_256":
		return 32
	case "AES_128":
		return 16
	}
	return *n
}

func (s *Server) generateRandom(r *request) (any, error) {
	n := r.integer("NumberOfBytes", 1, maxRandom)
	if err := r.err(); err != nil {
		return nil, err
	}
	if err := s.authorizeAccount(r, "*", r.operation); err != nil {
		return nil, err
	}
	if r.has("CustomKeyStoreId") || r.has("Recipient") {
		return nil, unsupported("This server has no key stores and cannot check attestation documents.")
	}
	if n == nil {
		return nil, invalid("NumberOfBytes is required.")
	}
	b := make([]byte, *n)
	rand.Read(b)
	return struct{ Plaintext []byte }{b}, nil
}
