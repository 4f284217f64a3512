package migrate

import (
	"context"
	"fmt"
	"strings"
)

// strayValues is how many values of every bytea column that the manifest does not
// name are looked at before a key goes: a copy of a table has no CHECK.
const strayValues = 100

// elsewhere is ErrKeyNamed if a column of another domain names the key: it has been
// of this one, and its values still have to be opened as what they were. ErrSchema if
// a column that the manifest does not name holds what looks sealed. Ids of
// keys are unique over all scopes. The rows of other tenants in the scope's own
// domain do not count: their values cannot be of this one.
func (r *retirement) elsewhere(ctx context.Context) error {
	tables, problems, err := r.DB.catalogue().Check(ctx, r.Manifest, CheckOptions{Sample: strayValues})
	if err == nil {
		err = problems.Err()
	}
	if err != nil {
		return err
	}
	for _, t := range tables {
		var sums []string
		var columns []string
		for _, c := range t.Manifest.Columns {
			if c.Domain != r.scope.Domain {
				columns = append(columns, c.Column)
				sums = append(sums, "coalesce(sum(CASE WHEN "+r.DB.dialect.named(c.Column, []uint32{r.key})+" THEN 1 ELSE 0 END), 0)")
			}
		}
		if len(columns) == 0 {
			continue
		}
		if _, _, err := r.DB.relations(ctx, t.sqlName()); err != nil {
			return err // row security would hide rows, for one
		}
		found, dest := make([]int64, len(columns)), make([]any, len(columns))
		for i := range found {
			dest[i] = &found[i]
		}
		if _, err := one(ctx, r.DB.q(), "SELECT "+strings.Join(sums, ", ")+" FROM "+t.sqlName(), nil, dest...); err != nil {
			return gone(t.sqlName(), err)
		}
		for i, n := range found {
			if n > 0 {
				return fmt.Errorf("%w: key %d of %s, %d of %s.%s, which is of another domain: reencrypt it from the identity that it had (PlanOptions.From)",
					ErrKeyNamed, r.key, r.scope, n, t.Manifest.Name(), columns[i])
			}
		}
	}
	return nil
}
