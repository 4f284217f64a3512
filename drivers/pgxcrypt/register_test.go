package pgxcrypt

import (
	"bytes"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr/keymgrtest"
)

func newCrypter(t testing.TB) *fieldcrypt.Crypter {
	return fieldcrypt.New(keymgrtest.New(t, "medical"), fieldcrypt.Config{})
}

type mrnField struct {
	MRN string `fieldcrypt:"medical,index,id=patients.mrn"`
}

// shouting is a codec of the application's own: it writes bytes twice.
type shouting struct{ pgtype.ByteaCodec }

func (shouting) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.([]byte); !ok {
		return nil
	}
	return twice{}
}

type twice struct{}

func (twice) Encode(value any, buf []byte) ([]byte, error) {
	return append(append(buf, value.([]byte)...), value.([]byte)...), nil
}

// TestRegisterKeepsTheCodec: whoever was there before gets all that is no Secret,
// and registering twice changes nothing.
func TestRegisterKeepsTheCodec(t *testing.T) {
	fc := newCrypter(t)
	m := pgtype.NewMap()
	m.RegisterType(&pgtype.Type{Name: "bytea", OID: pgtype.ByteaOID, Codec: shouting{}})
	Register(m, fc)
	b, err := m.Encode(pgtype.ByteaOID, pgx.BinaryFormatCode, []byte("ab"), nil)
	if err != nil || string(b) != "abab" {
		t.Errorf("bytes are written as %q, %v", b, err)
	}
	m = pgtype.NewMap()
	Register(m, fc)
	Register(m, fc)
	for _, format := range []int16{pgx.BinaryFormatCode, pgx.TextFormatCode} {
		secret := fieldcrypt.NewSecret[mrnField]("MRN-1")
		b, err := m.Encode(pgtype.ByteaOID, format, secret, nil)
		if err != nil || bytes.Contains(b, []byte("MRN")) {
			t.Fatalf("%q, %v", b, err)
		}
		var back fieldcrypt.Secret[string, mrnField]
		if err := m.Scan(pgtype.ByteaOID, format, b, &back); err != nil || back.MustReveal() != "MRN-1" {
			t.Errorf("format %d: %v", format, err)
		}
		if err := m.Scan(pgtype.ByteaOID, format, nil, &back); err != nil || !back.IsNull() {
			t.Errorf("NULL in format %d: %v", format, err)
		}
	}
}

// TestTextOfBytea: whatever a server sends, what is no hexadecimal is no value.
func TestTextOfBytea(t *testing.T) {
	m := pgtype.NewMap()
	Register(m, newCrypter(t))
	for _, raw := range []string{"", `\`, `\x0`, `\xzz`, `x`, `\374\001`, `plaintext`, `\x`, `\xfc01`, `\xFC01` + string(bytes.Repeat([]byte("00"), 60))} {
		var back fieldcrypt.Secret[string, mrnField]
		err := m.Scan(pgtype.ByteaOID, pgx.TextFormatCode, []byte(raw), &back)
		if !errors.Is(err, fieldcrypt.ErrNotSealed) && !errors.Is(err, fieldcrypt.ErrUnknownKey) || !back.IsNull() {
			t.Errorf("%q: %v", raw, err)
		}
	}
}
