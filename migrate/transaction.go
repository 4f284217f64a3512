package migrate

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// settings hold for one transaction.
type settings struct {
	lock, statement time.Duration
	name            string
}

const begin = "BEGIN ISOLATION LEVEL READ COMMITTED"

var textOIDs = []uint32{pgtype.TextOID, pgtype.TextOID, pgtype.TextOID}

const setLocal = `SELECT set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true), set_config('application_name', $3, true),
	set_config('fc.migrate', 'on', true), set_config('row_security', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true),
	set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true), set_config('enable_hashjoin', 'off', true),
	set_config('enable_mergejoin', 'off', true), set_config('jit', 'off', true), set_config('synchronize_seqscans', 'off', true)`

// run sends one statement with its transaction in one round trip. No session
// state is left behind, so that a pooler may give each transaction to another
// session.
func (db *DB) run(ctx context.Context, o settings, sql string, values [][]byte, oids []uint32, each func(v [][]byte)) error {
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	pg := conn.Conn().PgConn()
	b := &pgconn.Batch{}
	millis := func(d time.Duration) []byte { return []byte(strconv.FormatInt(max(d.Milliseconds(), 1), 10)) }
	for _, s := range []struct {
		sql    string
		values [][]byte
		oids   []uint32
	}{
		{begin, nil, nil},
		{setLocal, [][]byte{millis(o.lock), millis(o.statement), []byte(o.name)}, textOIDs},
		{sql, values, oids},
		{"COMMIT", nil, nil},
	} {
		if err := db.send(ctx, conn.Conn(), b, s.sql, s.values, s.oids); err != nil {
			return err
		}
	}
	results := pg.ExecBatch(ctx, b)
	for at := 0; results.NextResult(); at++ {
		for rr := results.ResultReader(); rr.NextRow(); {
			if at == 2 {
				each(rr.Values())
			}
		}
	}
	err = results.Close()
	switch sqlState(err) {
	case "0A000", "26000", "XX000", "42704": // a prepared statement does not fit the table any more, or is not this session's
		pg.Close(ctx)
	}
	if err != nil && !pg.IsClosed() {
		if _, err := pg.Exec(ctx, "ROLLBACK").ReadAll(); err != nil {
			pg.Close(ctx)
		}
	}
	return err
}

// maxPrepared is how many statements are kept prepared in a connection.
const maxPrepared = 100

type prepared map[string]string // names by SQL and its parameters' types

// send adds a statement to a batch, prepared once for a connection if the pool
// is set up for that, as it is by default: parsing takes longer than a small batch.
func (db *DB) send(ctx context.Context, conn *pgx.Conn, b *pgconn.Batch, sql string, values [][]byte, oids []uint32) error {
	formats := []int16{pgtype.BinaryFormatCode}
	pg := conn.PgConn()
	if !db.prepare {
		b.ExecParams(sql, values, oids, formats, formats)
		return nil
	}
	const mine = "fieldcrypt migrate"
	names, _ := pg.CustomData()[mine].(prepared)
	if names == nil {
		names = prepared{}
		pg.CustomData()[mine] = names
	}
	key := fmt.Sprint(sql, oids)
	name, found := names[key]
	if !found {
		if len(names) == maxPrepared {
			b.ExecParams(sql, values, oids, formats, formats)
			return nil
		}
		name = fmt.Sprintf("fieldcrypt_%.12x", sha256.Sum256([]byte(key)))
		if _, err := pg.Prepare(ctx, name, sql, oids); err != nil {
			return err
		}
		names[key] = name
	}
	b.ExecPrepared(name, values, formats, formats)
	return nil
}
