package pgxcrypt

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// cell returns the bytes of an encrypted column as they came from the server;
// nil is NULL. They are valid until the next row.
func cell(f *fieldcrypt.Field, fd *pgconn.FieldDescription, raw []byte) ([]byte, error) {
	switch {
	case raw == nil:
		return nil, nil
	case fd.DataTypeOID != pgtype.ByteaOID:
		return nil, fieldErr("open", f, fieldcrypt.ErrNotSealed, fmt.Sprintf(
			"the query returns the type with OID %d, not bytea; select the column as it is, without casts, JSON functions and the like", fd.DataTypeOID))
	}
	return unhex(f, fd.Format, raw)
}

// openClear reads the plaintext of a field whose encrypted column is NULL, where
// that is allowed; done if there is one.
func (r *reader) openClear(row pgx.CollectableRow, b *binding, c *column, at fieldcrypt.Row, place func(*column) reflect.Value) (done bool, err error) {
	i := slices.Index(b.columns, c.clear)
	if i < 0 || row.RawValues()[i] == nil {
		return false, nil
	}
	if err := r.fc.ReadPlaintext(r.ctx, c.field, at.Tenant, false); err != nil {
		return true, err
	}
	targets := make([]any, len(b.columns))
	targets[i] = place(c).Addr().Interface()
	return true, row.Scan(targets...)
}
