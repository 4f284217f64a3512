package drivertest

import (
	"bytes"
	"database/sql/driver"
	"errors"
	"fmt"
)

// Key is a key that the client makes, a UUID. It is stored as 16 bytes.
type Key [16]byte

// Value implements driver.Valuer.
func (k Key) Value() (driver.Value, error) { return bytes.Clone(k[:]), nil }

// Scan implements sql.Scanner.
func (k *Key) Scan(src any) error {
	b, ok := src.([]byte)
	if !ok || len(b) != len(k) {
		return errors.New("drivertest: not the 16 bytes of a Key")
	}
	copy(k[:], b)
	return nil
}

// Sample has values that are bound to other columns of their row, which stand
// behind them, and one that is not.
type Sample struct {
	ID     int64   `gorm:"column:id;primaryKey;autoIncrement:false" db:"id"`
	Result string  `fieldcrypt:"medical,index,bind=Key" gorm:"column:result" db:"result"`
	Remark *string `fieldcrypt:"medical,bind=Code" gorm:"column:remark" db:"remark"`
	Dose   int64   `fieldcrypt:"medical,index,bind=ID" gorm:"column:dose" db:"dose"`
	Free   string  `fieldcrypt:"finance" gorm:"column:free" db:"free"`
	Key    Key     `gorm:"column:key" db:"key"`
	Code   *string `gorm:"column:code" db:"code"`
}

// TableName names the table.
func (Sample) TableName() string { return "drivertest_samples" }

// sample is a sample row.
func sample(id int64) Sample {
	return Sample{
		ID: id, Result: fmt.Sprintf("result %d", id), Remark: ptr(fmt.Sprintf("remark %d", id)), Dose: id, Free: fmt.Sprintf("free %d", id),
		Key: Key{0: 0xFC, 1: 1, 15: byte(id)}, Code: ptr(fmt.Sprintf("code-%d", id)),
	}
}

func (s *suite) insertSamples(ids ...int64) {
	s.Helper()
	var rows []Sample
	for _, id := range ids {
		rows = append(rows, sample(id))
	}
	s.ok(s.InsertMany(s.ctx, &rows))
}
