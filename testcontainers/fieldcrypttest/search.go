package fieldcrypttest

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"

	"github.com/jackc/pgx/v5"
)

// search collects where values are.
type search struct {
	forms [][]form // of each value
	found map[string]bool
	lines []string
}

// hexRun is how Postgres writes bytes, also within arrays, rows and log lines.
var hexRun = regexp.MustCompile(`\\+x(?:[0-9a-fA-F]{2})+`)

// look looks for all values in a text: bytes that it spells in hex are looked at
// as bytes, so that digits are not found among theirs.
func (s *search) look(where string, text []byte) {
	rest := hexRun.ReplaceAllFunc(text, func(run []byte) []byte {
		digits := run[bytes.IndexByte(run, 'x')+1:]
		raw := make([]byte, len(digits)/2)
		hex.Decode(raw, digits) // of hex digits, and an even number
		s.lookRaw(where, raw, " in bytes")
		return []byte(" ")
	})
	s.lookRaw(where, rest, "")
}

func (s *search) lookRaw(where string, data []byte, how string) {
	bare := unquote(data)
	for i, forms := range s.forms {
		for _, f := range forms {
			in := data
			if f.unquoted {
				in = bare
			}
			if !bytes.Contains(in, f.text) {
				continue
			}
			line := fmt.Sprintf("plaintext: value %d is in %s, as %s%s", i+1, where, f.name, how)
			if !s.found[line] {
				s.found[line] = true
				s.lines = append(s.lines, line)
			}
		}
	}
}

// tables lists what rows are read from. A partitioned table's are in its
// partitions. Temporary tables are closed to other sessions; the log tells of them.
const tables = `SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_toast%'
	UNION ALL SELECT 'pg_catalog.' || name FROM unnest(ARRAY['pg_stats', 'pg_stats_ext', 'pg_stats_ext_exprs']) AS name
	UNION ALL SELECT 'pg_catalog.pg_largeobject' WHERE has_table_privilege('pg_catalog.pg_largeobject', 'SELECT')
	ORDER BY 1`

// asText is how the search reads, whatever the database has set: rows that a
// policy would hide are an error.
var asText = map[string]string{
	"bytea_output": "hex", "client_encoding": "UTF8", "datestyle": "ISO", "row_security": "off", "statement_timeout": "0",
}

// searchDatabase looks at every value in the database, by a connection of its own:
// the pool's may all be taken.
func (e *Env) searchDatabase(ctx context.Context, s *search) error {
	cfg, err := pgx.ParseConfig(e.URL)
	if err != nil {
		return err
	}
	maps.Copy(cfg.RuntimeParams, asText)
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, tables)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := s.searchTable(ctx, conn, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return s.searchDefinitions(ctx, conn)
}

func (s *search) searchTable(ctx context.Context, conn *pgx.Conn, name string) error {
	rows, err := conn.Query(ctx, "TABLE ONLY "+name, pgx.QueryExecModeSimpleProtocol) // all in text
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		columns := rows.FieldDescriptions()
		for i, raw := range rows.RawValues() {
			s.look(name+", column "+columns[i].Name, raw)
		}
	}
	return rows.Err()
}
