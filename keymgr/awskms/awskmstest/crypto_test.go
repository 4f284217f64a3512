package awskmstest_test

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

func encrypt(t *testing.T, srv *awskmstest.Server, id string, plaintext []byte, ec map[string]string) []byte {
	t.Helper()
	out, err := srv.Client().Encrypt(t.Context(), &kms.EncryptInput{KeyId: &id, Plaintext: plaintext, EncryptionContext: ec})
	if err != nil {
		t.Fatal(err)
	}
	return out.CiphertextBlob
}

func decrypt(t *testing.T, srv *awskmstest.Server, id string, blob []byte, ec map[string]string) (*kms.DecryptOutput, error) {
	t.Helper()
	in := &kms.DecryptInput{CiphertextBlob: blob, EncryptionContext: ec}
	if id != "" {
		in.KeyId = &id
	}
	return srv.Client().Decrypt(t.Context(), in)
}

func TestEncryptAndDecrypt(t *testing.T) {
	srv := awskmstest.Start(t)
	arn := srv.CreateKey("alias/a")
	for _, size := range []int{1, 32, 4096} {
		plaintext := bytes.Repeat([]byte{0xa5}, size)
		out, err := srv.Client().Encrypt(t.Context(), &kms.EncryptInput{KeyId: aws.String("alias/a"), Plaintext: plaintext})
		if err != nil || *out.KeyId != arn || out.EncryptionAlgorithm != types.EncryptionAlgorithmSpecSymmetricDefault {
			t.Fatalf("%d bytes: %v", size, err)
		}
		for _, id := range []string{"", arn, "alias/a"} {
			got, err := decrypt(t, srv, id, out.CiphertextBlob, nil)
			if err != nil || !bytes.Equal(got.Plaintext, plaintext) || *got.KeyId != arn || len(aws.ToString(got.KeyMaterialId)) != 64 {
				t.Errorf("%d bytes with %q: %v", size, id, err)
			}
		}
	}
	if bytes.Equal(encrypt(t, srv, arn, []byte("x"), nil), encrypt(t, srv, arn, []byte("x"), nil)) {
		t.Error("two equal ciphertexts")
	}
}

func TestSizeLimits(t *testing.T) {
	srv := awskmstest.Start(t)
	arn := srv.CreateKey()
	for _, size := range []int{0, 4097} {
		_, err := srv.Client().Encrypt(t.Context(), &kms.EncryptInput{KeyId: &arn, Plaintext: make([]byte, size)})
		if code(err) != "ValidationException" {
			t.Errorf("Encrypt of %d bytes: %v", size, err)
		}
	}
	for size, want := range map[int]string{0: "ValidationException", 6144: "InvalidCiphertextException", 6145: "ValidationException"} {
		if _, err := decrypt(t, srv, arn, make([]byte, size), nil); code(err) != want {
			t.Errorf("Decrypt of %d bytes: %v, want %s", size, err, want)
		}
	}
}

func TestEncryptionContextIsBound(t *testing.T) {
	srv := awskmstest.Start(t)
	arn := srv.CreateKey()
	right := map[string]string{"a": "1", "b": "2"}
	blob := encrypt(t, srv, arn, []byte("x"), right)
	if _, err := decrypt(t, srv, arn, blob, maps.Clone(right)); err != nil {
		t.Errorf("right context: %v", err)
	}
	for _, wrong := range []map[string]string{
		nil, {}, {"a": "1"}, {"a": "1", "b": "2", "c": ""}, {"a": "2", "b": "1"}, {"A": "1", "b": "2"}, {"a": "1b", "": "2"}, {"a1b2": ""},
	} {
		if _, err := decrypt(t, srv, arn, blob, wrong); code(err) != "InvalidCiphertextException" {
			t.Errorf("context %v: %v", wrong, err)
		}
	}
	if _, err := decrypt(t, srv, arn, encrypt(t, srv, arn, []byte("x"), map[string]string{}), nil); err != nil {
		t.Errorf("an empty context is none: %v", err)
	}
}

func TestDamagedCiphertextIsInvalid(t *testing.T) {
	srv := awskmstest.Start(t)
	arn := srv.CreateKey()
	blob := encrypt(t, srv, arn, []byte("secret"), nil)
	for i := range blob {
		b := slices.Clone(blob)
		b[i] ^= 0x10
		for _, id := range []string{arn, ""} {
			if _, err := decrypt(t, srv, id, b, nil); code(err) != "InvalidCiphertextException" {
				t.Fatalf("byte %d flipped, with key %q: %v", i, id, err)
			}
		}
		if i > 0 {
			if _, err := decrypt(t, srv, arn, blob[:i], nil); code(err) != "InvalidCiphertextException" {
				t.Fatalf("cut to %d bytes: %v", i, err)
			}
		}
	}
	if _, err := decrypt(t, srv, arn, append(slices.Clone(blob), 0), nil); code(err) != "InvalidCiphertextException" {
		t.Errorf("a byte more: %v", err)
	}
}

func TestDecryptWithTheWrongKey(t *testing.T) {
	srv, elsewhere := awskmstest.Start(t), awskmstest.Start(t)
	first, second := srv.CreateKey(), srv.CreateKey()
	blob := encrypt(t, srv, first, []byte("x"), nil)
	_, err := decrypt(t, srv, second, blob, nil)
	var wrong *types.IncorrectKeyException
	if !errors.As(err, &wrong) || wrong.ErrorMessage() != "The key ID in the request does not identify a CMK that can perform this operation." {
		t.Errorf("another key: %v", err)
	}
	foreign := encrypt(t, elsewhere, elsewhere.CreateKey(), []byte("x"), nil)
	if _, err := decrypt(t, srv, first, foreign, nil); code(err) != "IncorrectKeyException" {
		t.Errorf("ciphertext of another KMS: %v", err)
	}
	if _, err := decrypt(t, srv, "", foreign, nil); code(err) != "AccessDeniedException" ||
		!strings.Contains(err.Error(), "The ciphertext refers to a customer master key that does not exist") {
		t.Errorf("ciphertext of another KMS, without a key: %v", err)
	}
	srv.Deny(first)
	if _, err := decrypt(t, srv, "", blob, nil); code(err) != "AccessDeniedException" {
		t.Errorf("ciphertext of a denied key, without a key: %v", err)
	}
}

func TestGenerateDataKey(t *testing.T) {
	srv := awskmstest.Start(t)
	arn := srv.CreateKey("alias/a")
	ec := map[string]string{"fieldcrypt:domain": "medical"}
	for _, c := range []struct {
		spec types.DataKeySpec
		n    *int32
		size int
		want string
	}{
		{"AES_256", nil, 32, ""},
		{"AES_128", nil, 16, ""},
		{"", aws.Int32(1), 1, ""},
		{"", aws.Int32(1024), 1024, ""},
		{"", aws.Int32(0), 0, "ValidationException"},
		{"", aws.Int32(1025), 0, "ValidationException"},
		{"", nil, 0, "ValidationException"},
		{"AES_256", aws.Int32(32), 0, "ValidationException"},
		{"RSA_2048", nil, 0, "ValidationException"},
	} {
		out, err := srv.Client().GenerateDataKey(t.Context(), &kms.GenerateDataKeyInput{
			KeyId: aws.String("alias/a"), KeySpec: c.spec, NumberOfBytes: c.n, EncryptionContext: ec,
		})
		if code(err) != c.want {
			t.Errorf("%q, %v: %v, want %q", c.spec, c.n, err, c.want)
		}
		without, err2 := srv.Client().GenerateDataKeyWithoutPlaintext(t.Context(), &kms.GenerateDataKeyWithoutPlaintextInput{
			KeyId: aws.String("alias/a"), KeySpec: c.spec, NumberOfBytes: c.n, EncryptionContext: ec,
		})
		if code(err2) != c.want {
			t.Errorf("%q, %v, without plaintext: %v, want %q", c.spec, c.n, err2, c.want)
		}
		if c.want != "" {
			continue
		}
		if len(out.Plaintext) != c.size || *out.KeyId != arn || *without.KeyId != arn {
			t.Errorf("%q, %v: %d bytes", c.spec, c.n, len(out.Plaintext))
		}
		if got, err := decrypt(t, srv, arn, out.CiphertextBlob, ec); err != nil || !bytes.Equal(got.Plaintext, out.Plaintext) {
			t.Errorf("%q, %v: decrypt: %v", c.spec, c.n, err)
		}
		if got, err := decrypt(t, srv, arn, without.CiphertextBlob, ec); err != nil || len(got.Plaintext) != c.size {
			t.Errorf("%q, %v, without plaintext: decrypt: %v", c.spec, c.n, err)
		}
	}
}

func TestReEncryptChangesKeyAndContext(t *testing.T) {
	srv := awskmstest.Start(t)
	from, to := srv.CreateKey("alias/from"), srv.CreateKey("alias/to")
	oldContext, newContext := map[string]string{"tenant": "acme"}, map[string]string{"tenant": "a0b1"}
	blob := encrypt(t, srv, from, []byte("data key"), oldContext)
	in := kms.ReEncryptInput{
		CiphertextBlob: blob, SourceKeyId: aws.String("alias/from"), DestinationKeyId: aws.String("alias/to"),
		SourceEncryptionContext: oldContext, DestinationEncryptionContext: newContext,
	}
	out, err := srv.Client().ReEncrypt(t.Context(), &in)
	if err != nil || *out.SourceKeyId != from || *out.KeyId != to ||
		out.SourceEncryptionAlgorithm != "SYMMETRIC_DEFAULT" || out.DestinationEncryptionAlgorithm != "SYMMETRIC_DEFAULT" ||
		aws.ToString(out.SourceKeyMaterialId) == aws.ToString(out.DestinationKeyMaterialId) {
		t.Fatalf("%+v, %v", out, err)
	}
	if got, err := decrypt(t, srv, to, out.CiphertextBlob, newContext); err != nil || string(got.Plaintext) != "data key" {
		t.Errorf("decrypt: %v", err)
	}
	if _, err := decrypt(t, srv, to, out.CiphertextBlob, oldContext); code(err) != "InvalidCiphertextException" {
		t.Errorf("decrypt in the old context: %v", err)
	}

	disabled := srv.CreateKey()
	if _, err := srv.Client().DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &disabled}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*kms.ReEncryptInput)
		want   string
	}{
		"source from the blob": {func(in *kms.ReEncryptInput) { in.SourceKeyId = nil }, ""},
		"same key":             {func(in *kms.ReEncryptInput) { in.DestinationKeyId = &from }, ""},
		"wrong source":         {func(in *kms.ReEncryptInput) { in.SourceKeyId = &to }, "IncorrectKeyException"},
		"wrong context":        {func(in *kms.ReEncryptInput) { in.SourceEncryptionContext = newContext }, "InvalidCiphertextException"},
		"no such destination":  {func(in *kms.ReEncryptInput) { in.DestinationKeyId = aws.String("alias/x") }, "NotFoundException"},
		"disabled destination": {func(in *kms.ReEncryptInput) { in.DestinationKeyId = &disabled }, "DisabledException"},
		"dry run":              {func(in *kms.ReEncryptInput) { in.DryRun = aws.Bool(true) }, "DryRunOperationException"},
	} {
		in := in
		c.change(&in)
		if _, err := srv.Client().ReEncrypt(t.Context(), &in); code(err) != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestGenerateRandom(t *testing.T) {
	srv := awskmstest.Start(t)
	out, err := srv.Client().GenerateRandom(t.Context(), &kms.GenerateRandomInput{NumberOfBytes: aws.Int32(1024)})
	if err != nil || len(out.Plaintext) != 1024 {
		t.Error(err)
	}
	for _, in := range []kms.GenerateRandomInput{{}, {NumberOfBytes: aws.Int32(0)}, {NumberOfBytes: aws.Int32(1025)}} {
		if _, err := srv.Client().GenerateRandom(t.Context(), &in); code(err) != "ValidationException" {
			t.Errorf("%v: %v", in.NumberOfBytes, err)
		}
	}
}
