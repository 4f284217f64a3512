package migrate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
)

// reencrypt seals values anew, those of a row at once: under the primary key of
// their scope, and under the identity that the manifest says.
type reencrypt struct {
	*layout
	project *Project
	params  *params
	todo    string
}

// Reads implements [Rewriter]: all of it is compared when a row is written.
func (r *reencrypt) Reads() []string { return r.reads }

// Writes implements [Rewriter].
func (r *reencrypt) Writes() []string { return r.reads[:len(r.part.Columns)] }

// Todo implements [Rewriter].
func (r *reencrypt) Todo() string { return r.todo }

// Bind implements [Rewriter].
func (r *reencrypt) Bind(reads, _ []Column) error { return r.bind(reads) }

// Rewrite implements [Rewriter].
func (r *reencrypt) Rewrite(ctx context.Context, rows []Row) error {
	m := maps.Get().(*pgtype.Map)
	defer maps.Put(m)
	batch := r.table.Batch(ctx)
	out := make([][]byte, len(r.part.Columns))
	for i := range rows {
		row := &rows[i]
		row.New, row.Failed = nil, ""
		in, err := r.row(row, m)
		if errors.Is(err, errDecode) {
			row.Failed = fieldcrypt.FailureWrongType
			continue
		}
		if err != nil {
			return err
		}
		changed, err := batch.Reseal(in, out, r.params.Keys...)
		if err != nil {
			if row.Failed = failure(err); row.Failed == "" {
				return notOfARow(ctx, err)
			}
			continue
		}
		if changed == 0 {
			continue
		}
		if err := r.onOldKey(ctx, in.Tenant, out); err != nil {
			return err
		}
		fresh := slices.Clone(in.Values)
		for j, v := range out {
			if v != nil {
				fresh[j] = v
			}
		}
		row.New = fresh
	}
	return nil
}

// onOldKey is for new values of a key that is to go: this process has read the
// keys before another one was made the primary.
func (r *reencrypt) onOldKey(ctx context.Context, tenant string, out [][]byte) error {
	for i, v := range out {
		id, ok := fieldcrypt.KeyID(v)
		if !ok || !slices.Contains(r.params.Keys, id) {
			continue
		}
		s := keymgr.Scope{Domain: r.part.Columns[i].Domain}
		if r.part.Columns[i].PerTenant {
			s.Tenant = tenant
		}
		r.project.Keys.Evict(s)
		keys, err := r.project.Keys.Keys(ctx, s)
		if err != nil {
			return notOfARow(ctx, err)
		}
		if keys.Primary().ID() == id {
			return fmt.Errorf("key %d is the primary of %s and cannot be replaced: promote another: %w", id, s, ErrRefused)
		}
		return fmt.Errorf("%w: the keys of %s were not the newest", ErrRetry, s)
	}
	return nil
}
