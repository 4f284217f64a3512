package main

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
)

func connectTo(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// schemas returns the schemas of all runs that are still there.
func schemas(t *testing.T, url string) []string {
	t.Helper()
	rows, err := connectTo(t, url).Query(t.Context(), `SELECT nspname FROM pg_namespace WHERE nspname LIKE 'fieldcrypt\_quickstart\_%'`)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// dumpSchemas returns the bytes of all columns of all tables of all runs.
func dumpSchemas(t *testing.T, url string) []byte {
	t.Helper()
	conn := connectTo(t, url)
	rows, err := conn.Query(t.Context(), `SELECT schemaname, tablename FROM pg_tables WHERE schemaname LIKE 'fieldcrypt\_quickstart\_%'`)
	if err != nil {
		t.Fatal(err)
	}
	type table struct{ Schema, Name string }
	tables, err := pgx.CollectRows(rows, pgx.RowToStructByPos[table])
	if err != nil {
		t.Fatal(err)
	}
	var dump []byte
	for _, table := range tables {
		dump = append(dump, table.Name...)
		rows, err := conn.Query(t.Context(), "SELECT * FROM "+pgx.Identifier{table.Schema, table.Name}.Sanitize())
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			for _, value := range rows.RawValues() {
				dump = append(dump, value...)
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return dump
}
