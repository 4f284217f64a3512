package migrate

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// verify opens values and recomputes indexes. It writes nothing.
type verify struct {
	*layout
	params *params
	todo   string
}

// What verify counts, for each encrypted column in this order.
const (
	countValues = iota // that are not NULL
	countOpened        // that an application would read
	countNamed         // that name a key of params
	countKinds
)

// Reads implements [Rewriter].
func (v *verify) Reads() []string { return v.reads }

// Writes implements [Rewriter].
func (v *verify) Writes() []string { return nil }

// Todo implements [Rewriter].
func (v *verify) Todo() string { return v.todo }

// Bind implements [Rewriter].
func (v *verify) Bind(reads, _ []Column) error { return v.bind(reads) }

// Rewrite implements [Rewriter].
func (v *verify) Rewrite(ctx context.Context, rows []Row) error {
	m := maps.Get().(*pgtype.Map)
	defer maps.Put(m)
	batch := v.table.Batch(ctx)
	sums := make([]int64, countKinds*len(v.part.Columns))
	for i := range rows {
		row := &rows[i]
		row.Count, row.Failed = nil, ""
		in, err := v.row(row, m)
		if errors.Is(err, errDecode) {
			row.Failed = fieldcrypt.FailureWrongType
			v.count(row, nil, true, sums)
			continue
		}
		if err != nil {
			return err
		}
		failures, err := batch.Verify(in)
		if err != nil {
			return notOfARow(ctx, err)
		}
		v.count(row, failures, false, sums)
		var classes []string
		for _, f := range failures {
			classes = append(classes, failure(f))
		}
		slices.Sort(classes)
		row.Failed = strings.Join(slices.Compact(classes), ", ")
	}
	if len(rows) > 0 {
		rows[0].Count = sums
	}
	return nil
}

// count adds a row to the sums. none says that nothing of it was opened.
func (v *verify) count(row *Row, failures []error, none bool, sums []int64) {
	for i, c := range v.part.Columns {
		value := row.Old[i]
		if value == nil {
			continue
		}
		sums[countKinds*i+countValues]++
		if !none && !slices.ContainsFunc(failures, func(err error) bool { return isOf(err, c.ID) }) {
			sums[countKinds*i+countOpened]++
		}
		if id, ok := namedKey(value); ok && slices.Contains(v.params.Keys, id) {
			sums[countKinds*i+countNamed]++
		}
	}
}

// isOf reports whether a failure is that of an encrypted column's value.
func isOf(err error, id string) bool {
	e := (*fieldcrypt.Error)(nil)
	return errors.As(err, &e) && e.Table+"."+e.Column == id && !errors.Is(err, fieldcrypt.ErrWrongIndex)
}

// namedKey is what [dialect.named] sees: the four bytes, whatever is around them.
func namedKey(value []byte) (id uint32, ok bool) {
	if len(value) < keyIDAt+keyIDLen-1 {
		return 0, false
	}
	b := value[keyIDAt-1:]
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3]), true
}
