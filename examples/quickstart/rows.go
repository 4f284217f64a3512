package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
)

// storedRows reads rows of patients without fieldcrypt, as anybody can who has
// the database.
func storedRows(ctx context.Context, db *sql.DB, where string, each func(columns []string, values []any) error) error {
	rows, err := db.QueryContext(ctx, "SELECT * FROM patients "+where)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if err := each(columns, values); err != nil {
			return err
		}
	}
	return rows.Err()
}

// fingerprint is the SHA-256 of everything that is stored in patients.
func fingerprint(ctx context.Context, db *sql.DB) (string, error) {
	h := sha256.New()
	err := storedRows(ctx, db, "ORDER BY id", func(_ []string, values []any) error {
		for _, v := range values {
			fmt.Fprintf(h, "%T %v\n", v, v)
		}
		return nil
	})
	return hex.EncodeToString(h.Sum(nil)), err
}
