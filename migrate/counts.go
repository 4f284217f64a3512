package migrate

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// counts are the sums of Row.Count over a shard, in this pass. They are stored
// with the cursor, as numbers with spaces between.
type counts []int64

// Counts returns the sums of Row.Count in the job's last pass, or in the one that
// is under way. They are exact: they move with the cursor.
func Counts(ctx context.Context, db *DB, job string) ([]int64, error) {
	var sums counts
	err := db.q().query(ctx, `SELECT counts FROM fieldcrypt_job_shards WHERE job = $1`, []any{job}, func(scan func(...any) error) error {
		var c counts
		if err := scan(&c); err != nil {
			return err
		}
		sums = sums.plus(c)
		return nil
	})
	return sums, err
}

func (c counts) clone() counts { return slices.Clone(c) }

// plus adds other to c, which grows.
func (c counts) plus(other []int64) counts {
	for len(c) < len(other) {
		c = append(c, 0)
	}
	for i, n := range other {
		c[i] += n
	}
	return c
}

// text is nil for no counts: those that are stored stay.
func (c counts) text() []byte {
	if len(c) == 0 {
		return nil
	}
	var b []byte
	for i, n := range c {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendInt(b, n, 10)
	}
	return b
}

// Value implements driver.Valuer.
func (c counts) Value() (driver.Value, error) {
	if len(c) == 0 {
		return nil, nil
	}
	return string(c.text()), nil
}

var errCounts = errors.New("stored counts are no numbers")

// Scan implements sql.Scanner.
func (c *counts) Scan(src any) error {
	*c = nil
	text, ok := src.(string)
	if !ok {
		return fmt.Errorf("%w: %T", errCounts, src)
	}
	for _, f := range strings.Fields(text) {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return errCounts
		}
		*c = append(*c, n)
	}
	return nil
}
