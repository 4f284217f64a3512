package pgxcrypt

import (
	"cmp"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// spool is rows in memory, with their connection given back: the row that the
// rows stood at and all after it. It implements pgx.Rows.
type spool struct {
	types  *pgtype.Map
	fields []pgconn.FieldDescription
	left   [][][]byte // the current row first
	tag    pgconn.CommandTag
	err    error // of a query that failed
}

// failedRows are the rows of a query that failed.
func failedRows(err error) pgx.Rows { return &spool{err: err} }

// newSpool reads what is left of rows, which stand at a row.
func newSpool(rows pgx.Rows) (*spool, error) {
	conn := rows.Conn()
	if conn == nil {
		return nil, errors.New("pgxcrypt: the rows have no connection")
	}
	// Types of the connection's own belong to whoever takes it next.
	types := conn.TypeMap().Copy()
	types.TryWrapEncodePlanFuncs = conn.TypeMap().TryWrapEncodePlanFuncs
	types.TryWrapScanPlanFuncs = conn.TypeMap().TryWrapScanPlanFuncs
	s := &spool{types: types, fields: slices.Clone(rows.FieldDescriptions())}
	for {
		s.left = append(s.left, cloneRow(rows.RawValues()))
		if !rows.Next() {
			break
		}
	}
	rows.Close()
	s.tag = rows.CommandTag()
	return s, rows.Err()
}

func cloneRow(raw [][]byte) [][]byte {
	out := make([][]byte, len(raw))
	for i, b := range raw {
		if b != nil {
			out[i] = append([]byte{}, b...)
		}
	}
	return out
}

// Close implements pgx.Rows.
func (s *spool) Close() { s.left = nil }

// Err implements pgx.Rows.
func (s *spool) Err() error { return s.err }

// CommandTag implements pgx.Rows.
func (s *spool) CommandTag() pgconn.CommandTag { return s.tag }

// FieldDescriptions implements pgx.Rows.
func (s *spool) FieldDescriptions() []pgconn.FieldDescription { return s.fields }

// Conn implements pgx.Rows: the connection is given back.
func (s *spool) Conn() *pgx.Conn { return nil }

// TypeMap is what pgx's own rows have too.
func (s *spool) TypeMap() *pgtype.Map { return s.types }

// Next implements pgx.Rows.
func (s *spool) Next() bool {
	if len(s.left) < 2 {
		s.Close()
		return false
	}
	s.left = s.left[1:]
	return true
}

// RawValues implements pgx.Rows.
func (s *spool) RawValues() [][]byte {
	if len(s.left) == 0 {
		return nil
	}
	return s.left[0]
}

// Scan implements pgx.Rows.
func (s *spool) Scan(dest ...any) error {
	if len(dest) == 1 {
		if scanner, ok := dest[0].(pgx.RowScanner); ok {
			return scanner.ScanRow(s)
		}
	}
	if len(s.left) == 0 {
		return cmp.Or(s.err, errors.New("rows is closed"))
	}
	return pgx.ScanRow(s.types, s.fields, s.RawValues(), dest...)
}

// Values implements pgx.Rows.
func (s *spool) Values() ([]any, error) {
	if len(s.left) == 0 {
		return nil, cmp.Or(s.err, errors.New("rows is closed"))
	}
	var values []any
	for i, raw := range s.RawValues() {
		var v any
		fd := &s.fields[i]
		typ, known := s.types.TypeForOID(fd.DataTypeOID)
		switch {
		case raw == nil:
		case known:
			var err error
			if v, err = typ.Codec.DecodeValue(s.types, fd.DataTypeOID, fd.Format, raw); err != nil {
				return nil, err
			}
		case fd.Format == pgx.TextFormatCode:
			v = string(raw)
		default:
			v = append([]byte{}, raw...)
		}
		values = append(values, v)
	}
	return values, nil
}
