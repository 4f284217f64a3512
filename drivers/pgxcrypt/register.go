package pgxcrypt

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// Register makes the types of a connection seal [fieldcrypt.Secret] arguments,
// compute [fieldcrypt.SecretIndex] ones, and open what is scanned into Secrets,
// pointers to them and lists of them. All other values go where they went before.
//
// It sees single values: no context and no other argument. So keys per tenant are
// refused, and so is the zero SecretIndex, which [Wrap] fills; each value has a
// salt of its own; and nobody notices a statement that leaves out the index column.
// Wrap does more; take this where values do not pass through a DBTX.
//
// Lists of Secrets as arguments need the type of the parameter, so they are errors
// in QueryExecModeExec and QueryExecModeSimpleProtocol.
func Register(m *pgtype.Map, fc *fieldcrypt.Crypter) { register(m, fc) }

// AfterConnect is [Register] for pgxpool.Config.AfterConnect and
// stdlib.OptionAfterConnect. It makes the type fieldcrypt_value known as well, if
// the database has it by then: values are sent as bytes then, not as hexadecimal
// text.
func AfterConnect(fc *fieldcrypt.Crypter) func(context.Context, *pgx.Conn) error {
	return func(ctx context.Context, conn *pgx.Conn) error {
		bytea := register(conn.TypeMap(), fc)
		var oid, array uint32
		err := conn.QueryRow(ctx, "SELECT oid::bigint, typarray::bigint FROM pg_type WHERE oid = to_regtype($1)", domain).Scan(&oid, &array)
		if err != nil {
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			return err
		}
		value := &pgtype.Type{Name: domain, OID: oid, Codec: bytea.Codec}
		conn.TypeMap().RegisterType(value)
		conn.TypeMap().RegisterType(&pgtype.Type{Name: "_" + domain, OID: array, Codec: &pgtype.ArrayCodec{ElementType: value}})
		return nil
	}
}

func register(m *pgtype.Map, fc *fieldcrypt.Crypter) *pgtype.Type {
	m.TryWrapEncodePlanFuncs = slices.Concat([]pgtype.TryWrapEncodePlanFunc{func(value any) (pgtype.WrappedEncodePlanNextSetter, any, bool) {
		switch value.(type) {
		case fieldcrypt.AnySecret, fieldcrypt.AnySecretIndex:
			return &encodePlan{fc: fc}, []byte(nil), true
		}
		return nil, nil, false
	}}, m.TryWrapEncodePlanFuncs)
	was, _ := m.TypeForOID(pgtype.ByteaOID)
	bytea := &pgtype.Type{Name: was.Name, OID: was.OID, Codec: codec{was.Codec, fc}}
	m.RegisterType(bytea)
	m.RegisterType(&pgtype.Type{Name: "_bytea", OID: pgtype.ByteaArrayOID, Codec: &pgtype.ArrayCodec{ElementType: bytea}})
	return bytea
}

// encodePlan encodes a Secret, or the index of one, as the bytes that it is stored
// as. pgx keeps it for the Go type: it does not depend on a value.
type encodePlan struct {
	fc   *fieldcrypt.Crypter
	next pgtype.EncodePlan
}

// SetNext implements pgtype.WrappedEncodePlanNextSetter.
func (p *encodePlan) SetNext(next pgtype.EncodePlan) { p.next = next }

// Encode implements pgtype.EncodePlan.
func (p *encodePlan) Encode(value any, buf []byte) ([]byte, error) {
	if v := reflect.ValueOf(value); v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, nil
	}
	b, err := p.bytes(value)
	if err != nil || b == nil {
		return nil, err
	}
	return p.next.Encode(b, buf)
}

func (p *encodePlan) bytes(value any) ([]byte, error) {
	if ix, ok := value.(fieldcrypt.AnySecretIndex); ok {
		of, set, next := fieldcrypt.SecretOf(ix)
		f, err := withoutTenant(p.fc, of)
		switch {
		case err != nil:
			return nil, err
		case next:
			return nil, fieldErr("index", f, fieldcrypt.ErrUnsupported, "a second index column through pgxcrypt.Register; use pgxcrypt.Wrap")
		case !set:
			return nil, fieldErr("index", f, fieldcrypt.ErrUnsealed, "the index argument is empty; make it with Secret.Index, or use pgxcrypt.Wrap, which fills it")
		}
		term, moving, err := p.fc.Sealer(context.Background(), fieldcrypt.Row{}).SecretTerm(of, false)
		if err == nil && moving {
			err = fieldErr("index", f, fieldcrypt.ErrUnsupported, "the index is being moved to another key, and pgxcrypt.Register cannot see whether its second column is written; use pgxcrypt.Wrap")
		}
		return term, err
	}
	secret := value.(fieldcrypt.AnySecret)
	if _, err := withoutTenant(p.fc, secret); err != nil {
		return nil, err
	}
	return p.fc.Sealer(context.Background(), fieldcrypt.Row{}).SealSecret(secret)
}

// withoutTenant refuses Secrets whose keys are a tenant's.
func withoutTenant(fc *fieldcrypt.Crypter, s fieldcrypt.AnySecret) (*fieldcrypt.Field, error) {
	if fc == nil {
		return nil, usageErr("model", fieldcrypt.ErrNotRegistered, "pgxcrypt was given no Crypter; make one with fieldcrypt.New")
	}
	f, err := fc.SecretField(s)
	if err == nil && f.PerTenant {
		err = fieldErr("seal", f, fieldcrypt.ErrNoTenant, "pgxcrypt.Register has no context that could name one; use pgxcrypt.Wrap")
	}
	return f, err
}

// codec is the codec that bytea has, and opens Secrets.
type codec struct {
	pgtype.Codec
	fc *fieldcrypt.Crypter
}

// PlanScan implements pgtype.Codec.
func (c codec) PlanScan(m *pgtype.Map, oid uint32, format int16, target any) pgtype.ScanPlan {
	if _, ok := target.(fieldcrypt.SecretPointer); ok {
		return scanPlan{c.fc, format}
	}
	return c.Codec.PlanScan(m, oid, format, target)
}

type scanPlan struct {
	fc     *fieldcrypt.Crypter
	format int16
}

// Scan implements pgtype.ScanPlan.
func (p scanPlan) Scan(src []byte, dst any) error {
	secret := dst.(fieldcrypt.SecretPointer)
	if reflect.ValueOf(dst).IsNil() {
		return usageErr("open", fieldcrypt.ErrWrongType, fmt.Sprintf("a nil %T; give a pointer to a variable", dst))
	}
	f, err := withoutTenant(p.fc, secret)
	if err != nil {
		return err
	}
	stored, err := unhex(f, p.format, src)
	if err != nil {
		return err
	}
	return p.fc.OpenSecret(context.Background(), secret, stored, fieldcrypt.Row{})
}

// unhex returns the bytes of a bytea in a format of the protocol.
func unhex(f *fieldcrypt.Field, format int16, raw []byte) ([]byte, error) {
	switch {
	case raw == nil || format == pgx.BinaryFormatCode:
		return raw, nil
	case len(raw) < 2 || raw[0] != '\\' || raw[1] != 'x':
		return nil, fieldErr("open", f, fieldcrypt.ErrNotSealed, `the server writes bytea in the format "escape"; set bytea_output to hex, as is the default`)
	}
	b := make([]byte, hex.DecodedLen(len(raw)-2))
	if _, err := hex.Decode(b, raw[2:]); err != nil {
		return nil, fieldErr("open", f, fieldcrypt.ErrNotSealed, "the server sent no bytea")
	}
	return b, nil
}
