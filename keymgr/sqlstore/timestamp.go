package sqlstore

import (
	"database/sql/driver"
	"fmt"
	"time"
)

// timestamp is a time as both databases take it: a text of fixed width, which
// sorts, in UTC and microseconds. Postgres keeps it as timestamptz.
type timestamp struct{ time.Time }

const timestampLayout = "2006-01-02T15:04:05.000000Z07:00"

func now() timestamp { return timestamp{time.Now()} }

// Value implements driver.Valuer.
func (t timestamp) Value() (driver.Value, error) {
	return t.UTC().Format(timestampLayout), nil
}

// Scan implements sql.Scanner.
func (t *timestamp) Scan(src any) (err error) {
	switch v := src.(type) {
	case time.Time:
		t.Time = v.UTC()
	case string:
		t.Time, err = time.Parse(timestampLayout, v)
	case []byte:
		t.Time, err = time.Parse(timestampLayout, string(v))
	default:
		err = fmt.Errorf("a time was stored as %T", src)
	}
	return err
}
