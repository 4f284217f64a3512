package migrate

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// layout says where the parts of a stored row are among the columns that a job
// reads: the encrypted columns first, in the order of the manifest.
type layout struct {
	part            *fieldcrypt.ManifestTable // the table, with the job's columns alone
	table           *fieldcrypt.StoredTable
	reads           []string
	tenant          int   // -1: none
	bound, oldBound []int // for each encrypted column; -1: none
	terms, next     []int // for each index, if they are read; -1: there is none
	columns         atomic.Pointer[[]Column]
}

// partOf is a table with some of its encrypted columns, and the indexes that are
// over these alone.
func partOf(t *fieldcrypt.ManifestTable, columns []string) *fieldcrypt.ManifestTable {
	part := *t
	part.Columns, part.Indexes = nil, nil
	for _, c := range t.Columns {
		if slices.Contains(columns, c.Column) {
			part.Columns = append(part.Columns, c)
		}
	}
	for _, ix := range t.Indexes {
		if !slices.ContainsFunc(ix.Parts, func(p fieldcrypt.ManifestPart) bool { return !slices.Contains(columns, p.Column) }) {
			part.Indexes = append(part.Indexes, ix)
		}
	}
	return &part
}

// newLayout plans what is read. Indexes are if terms says so, of their second
// columns those in next.
func (p *Project) newLayout(part *fieldcrypt.ManifestTable, from []fieldcrypt.OldIdentity, terms bool, next []string) (*layout, error) {
	table, err := p.Crypter.Table(part, from...)
	if err != nil {
		return nil, err
	}
	l := &layout{part: part, table: table, tenant: -1}
	read := func(column string) int {
		i := slices.Index(l.reads, column)
		if i < 0 {
			i, l.reads = len(l.reads), append(l.reads, column)
		}
		return i
	}
	for _, c := range part.Columns {
		read(c.Column)
	}
	for _, c := range part.Columns {
		bound, old := -1, -1
		if c.Bind != nil {
			bound = read(c.Bind.Column)
		}
		tenant := c.PerTenant
		for _, o := range from {
			if o.Column != c.Column {
				continue
			}
			if o.Bind != nil {
				old = read(o.Bind.Column)
			}
			if o.Domain != "" {
				was, err := p.Keys.PerTenant(o.Domain)
				if err != nil {
					return nil, err
				}
				tenant = tenant || was
			}
		}
		if tenant {
			l.tenant = read(part.Tenant)
		}
		l.bound, l.oldBound = append(l.bound, bound), append(l.oldBound, old)
	}
	for _, ix := range part.Indexes {
		if !terms {
			break
		}
		l.terms = append(l.terms, read(ix.Column))
		at := -1
		if slices.Contains(next, ix.Column+fieldcrypt.NextSuffix) {
			at = read(ix.Column + fieldcrypt.NextSuffix)
		}
		l.next = append(l.next, at)
	}
	return l, nil
}

// bind notes the types of the columns that are read.
func (l *layout) bind(reads []Column) error {
	for i, c := range reads {
		if i < len(l.part.Columns) || slices.Contains(l.terms, i) || slices.Contains(l.next, i) {
			if c.Type != "bytea" && !strings.EqualFold(c.Type, "blob") && c.Type != "" {
				return fmt.Errorf("column %s is of type %s and holds no bytes", c.Name, c.Type)
			}
		}
	}
	l.columns.Store(&reads)
	return nil
}

// row is a row as fieldcrypt takes it.
func (l *layout) row(r *Row, m *pgtype.Map) (*fieldcrypt.StoredRow, error) {
	n := len(l.part.Columns)
	out := &fieldcrypt.StoredRow{Values: r.Old[:n:n]}
	columns := *l.columns.Load()
	if l.tenant >= 0 {
		v, err := decode(columns[l.tenant], r.Old[l.tenant], m)
		if err != nil {
			return nil, err
		}
		out.Tenant = tenantName(v)
	}
	for _, part := range []struct {
		at   []int
		into *[]any
	}{{l.bound, &out.Bound}, {l.oldBound, &out.OldBind}} {
		for i, at := range part.at {
			if at < 0 {
				continue
			}
			v, err := decode(columns[at], r.Old[at], m)
			if err != nil {
				return nil, err
			}
			if *part.into == nil {
				*part.into = make([]any, n)
			}
			(*part.into)[i] = v
		}
	}
	for i, at := range l.terms {
		out.Terms = append(out.Terms, r.Old[at])
		if l.next[i] >= 0 {
			if out.Next == nil {
				out.Next = make([][]byte, len(l.terms))
			}
			out.Next[i] = r.Old[l.next[i]]
		}
	}
	return out, nil
}

// maps are for one goroutine at a time.
var maps = sync.Pool{New: func() any { return pgtype.NewMap() }}

var errDecode = errors.New("a column's value is not of its type")

// decode makes of a value what the database's driver would. SQLite's are text.
func decode(c Column, b []byte, m *pgtype.Map) (any, error) {
	if b == nil {
		return nil, nil
	}
	if c.OID == 0 {
		return b, nil
	}
	t, ok := m.TypeForOID(c.OID)
	if !ok {
		return string(b), nil // an enum, citext: their binary form is text
	}
	v, err := t.Codec.DecodeValue(m, c.OID, pgtype.BinaryFormatCode, b)
	if err != nil {
		return nil, fmt.Errorf("%s, a %s: %w", c.Name, c.Type, errDecode) // without the cause, which may show it
	}
	return v, nil
}

// tenantName is the tenant column as an application's string.
func tenantName(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	case [16]byte:
		h := hex.EncodeToString(v[:])
		return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
	case int16:
		return strconv.Itoa(int(v))
	case int32:
		return strconv.Itoa(int(v))
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return ""
}

// failure is the class of what is wrong with a row and the logical column, or "".
func failure(err error) string {
	class := fieldcrypt.FailureClass(err)
	if e := (*fieldcrypt.Error)(nil); class != "" && errors.As(err, &e) && e.Column != "" {
		return class + " (" + e.Column + ")"
	}
	return class
}

// notOfARow is an error that says nothing of a row. Those that pass by themselves
// are ErrRetry.
func notOfARow(ctx context.Context, err error) error {
	if ctx.Err() == nil && (errors.Is(err, fieldcrypt.ErrKMSUnavailable) || errors.Is(err, fieldcrypt.ErrStoreUnavailable)) {
		return fmt.Errorf("%w: %w", ErrRetry, err)
	}
	return err
}
