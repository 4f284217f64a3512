package migrate

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// window is what was read at once: rows that may need work out of a stretch of
// the shard.
type window struct {
	rows    []Row
	cursor  []byte // where it ends
	scanned int64
	last    bool // the shard ends with it
	bytes   int
}

// batch is what is written at once, in one transaction with the cursor and the
// counters. Only the last batch of a window moves the cursor.
type batch struct {
	rows    []Row
	cursor  []byte // nil: not yet
	scanned int64
	failed  int64         // rows of the window that could not be rewritten
	took    time.Duration // to read and rewrite
	size    int           // how many rows the worker now puts into a batch
	counts  counts        // of the pass so far, with the cursor; nil: as they are
}

// windowBytes is how much of a window is kept in memory: the rows after that
// are read again.
const windowBytes = 16 << 20

// statements are the SQL for one shard of a table. Names stand in it as they are,
// so nothing of it may be a format.
type statements struct {
	*relation
	db               *DB
	heap             bool
	read, order      string // around the bounds
	write, skip, add string
}

// rows is a shard's table.
func (db *DB) rows(r *relation, spec *Spec, heap bool) (rows, error) {
	if db.dialect == sqlite {
		return newSQLiteRows(db, r, spec), nil
	}
	s := &statements{relation: r, db: db, heap: heap}
	s.prepareRead(spec.Todo)
	if len(s.writes) > 0 {
		s.prepareWrite()
	}
	s.prepareAdd()
	return s, nil
}

func (s *statements) prepareRead(todo string) {
	if todo == "" {
		todo = "true"
	}
	inner := list(s.keys, func(i int, c Column) string { return fmt.Sprintf("t.%s AS k%d", quote(c.Name), i) })
	outer := list(s.keys, func(i int, c Column) string { return fmt.Sprintf("k%d", i) }) + ", todo"
	for i, c := range s.reads {
		inner += fmt.Sprintf(", t.%s AS r%d", quote(c.Name), i)
		outer += fmt.Sprintf(", CASE WHEN todo THEN r%d END", i)
	}
	s.read = "SELECT " + outer + " FROM (SELECT " + inner + ", (" + todo + ") IS TRUE AS todo FROM ONLY " + s.name + " t"
	if s.heap {
		s.read += " WHERE t.ctid >= $1::tid AND t.ctid < $2::tid OFFSET 0) w"
		return
	}
	s.order = " ORDER BY " + s.keyList("t") + " LIMIT " // and the subquery's end
}

func (s *statements) keyList(table string) string {
	return list(s.keys, func(_ int, c Column) string { return table + "." + quote(c.Name) })
}

// prepareWrite makes the statement that changes rows: v has the keys, the new
// values and the old.
func (s *statements) prepareWrite() {
	var arrays, names, set, key, locked, same []string
	v := func(prefix string, i int, c Column) string {
		names = append(names, prefix+strconv.Itoa(i))
		arrays = append(arrays, fmt.Sprintf("unnest($%d::%s[])", len(names)+len(fenceTypes), c.cast))
		return "v." + names[len(names)-1]
	}
	for i, c := range s.keys {
		value := v("k", i, c)
		key = append(key, "t."+quote(c.Name)+" = "+value)
		locked = append(locked, "x."+quote(c.Name)+" = "+value)
	}
	for i, c := range s.writes {
		set = append(set, quote(c.Name)+" = "+v("n", i, c))
	}
	for i, c := range s.reads {
		same = append(same, identical("t."+quote(c.Name), v("o", i, c), c.Type))
	}
	from := "ROWS FROM (" + strings.Join(arrays, ", ") + ") v(" + strings.Join(names, ", ") + ")"
	before := holdLease + `, done AS (UPDATE ONLY ` + s.name + ` t SET ` + strings.Join(set, ", ") + ` FROM lease, `
	after := ` WHERE ` + strings.Join(append(key, same...), " AND ") + ` RETURNING 1), n AS (SELECT count(*) AS n FROM done) ` + countBatch
	s.write = before + from + after
	s.skip = before + "(SELECT v.* FROM " + from + " JOIN ONLY " + s.name + " x ON " + strings.Join(locked, " AND ") + " FOR NO KEY UPDATE OF x SKIP LOCKED) v" + after
}

// prepareAdd makes the statement that adds failures: v has the packed keys, the
// classes and the keys.
func (s *statements) prepareAdd() {
	n := len(fenceTypes)
	from, names, text := fmt.Sprintf("unnest($%d::bytea[]), unnest($%d::text[])", n+1, n+2), "key, class", ""
	for i, c := range s.keys {
		from += fmt.Sprintf(", unnest($%d::%s[])", n+3+i, c.cast)
		names += fmt.Sprintf(", k%d", i)
		text += fmt.Sprintf(", v.k%d::text", i)
	}
	s.add = holdLease + `, added AS (INSERT INTO fieldcrypt_job_failures (job, relation, key, key_text, class, pass, first_at, last_at)
			SELECT $1, s.relation, v.key, jsonb_build_array(` + text[2:] + `)::text, v.class, j.pass, clock_timestamp(), clock_timestamp()
			FROM lease, fieldcrypt_jobs j, fieldcrypt_job_shards s, ROWS FROM (` + from + `) v(` + names + `)
			WHERE j.id = $1 AND s.job = $1 AND s.shard = $2` + upsertFailure + `),
		n AS (SELECT 0::int8 AS n) ` + countBatch
}

// countOnly writes no rows.
const countOnly = holdLease + `, n AS (SELECT 0::int8 AS n) ` + countBatch

// identical compares a column with the value that was read, to the byte: the
// type's own equality may know 1.0 and 1.00 as the same, or A and a.
func identical(column, value, typ string) string {
	switch typ {
	case "bytea", "bigint", "integer", "smallint", "uuid", "boolean", "date", "timestamp with time zone", "timestamp without time zone":
		return column + " IS NOT DISTINCT FROM " + value
	case "text":
		return column + ` COLLATE "C" IS NOT DISTINCT FROM ` + value
	}
	return column + `::text COLLATE "C" IS NOT DISTINCT FROM ` + value + "::text"
}

// The first parameters of every statement that writes, and their types.
var fenceTypes = []uint32{pgtype.TextOID, pgtype.Int4OID, pgtype.Int8OID, pgtype.Float8OID, pgtype.Int8OID, pgtype.ByteaOID, pgtype.Int8OID, pgtype.Int8OID, pgtype.Int8OID, pgtype.Int4OID, pgtype.TextOID}

const (
	// holdLease locks the shard's row; without a result there is no lease.
	holdLease = `WITH lease AS MATERIALIZED (SELECT 1 FROM fieldcrypt_job_shards
			WHERE job = $1 AND shard = $2 AND fence = $3 AND lease_until > clock_timestamp() FOR NO KEY UPDATE)`
	// countBatch moves cursor and counters if there is a lease.
	countBatch = `UPDATE fieldcrypt_job_shards s SET changed = changed + n.n, conflicts = conflicts + $5 - n.n, pass_changed = pass_changed + n.n,
			pass_conflicts = pass_conflicts + $5 - n.n, cursor = coalesce($6, cursor), scanned = scanned + $7, failed = failed + $8, busy_us = busy_us + $9,
			batch_rows = $10, counts = coalesce($11, counts), heartbeat_at = clock_timestamp(), lease_until = clock_timestamp() + make_interval(secs => $4)
		FROM n, lease WHERE s.job = $1 AND s.shard = $2 RETURNING n.n`
)

func int8Bytes(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
func int4Bytes(n int) []byte   { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

// fenced are the values of fenceTypes.
func (l *lease) parameters(b *batch) [][]byte {
	seconds, _ := pgtype.NewMap().Encode(pgtype.Float8OID, pgtype.BinaryFormatCode, l.ttl.Seconds(), nil)
	return [][]byte{[]byte(l.job), int4Bytes(l.number), int8Bytes(l.fence), seconds, int8Bytes(int64(len(b.rows))),
		b.cursor, int8Bytes(b.scanned), int8Bytes(b.failed), int8Bytes(b.took.Microseconds()), int4Bytes(b.size), b.counts.text()}
}

// array is a one-dimensional array in Postgres's binary representation.
func array(oid uint32, n int, value func(i int) []byte) []byte {
	size, nulls := 20, uint32(0)
	for i := range n {
		v := value(i)
		size += 4 + len(v)
		if v == nil {
			nulls = 1
		}
	}
	b := make([]byte, 0, size)
	for _, u := range []uint32{1, nulls, oid, uint32(n), 1} {
		b = binary.BigEndian.AppendUint32(b, u)
	}
	for i := range n {
		v := value(i)
		if v == nil {
			b = binary.BigEndian.AppendUint32(b, 0xFFFFFFFF)
			continue
		}
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
	}
	return b
}

// writeBatch changes what is still as it was read, and returns how many rows
// those are. errLost: there is no lease any more, and nothing happened.
func (s *statements) writeBatch(ctx context.Context, l *lease, b *batch, o settings, skipLocked bool) (int64, error) {
	if len(b.rows) == 0 {
		return s.db.fenced(ctx, l, countOnly, b, o, nil, nil)
	}
	var values [][]byte
	var oids []uint32
	add := func(c Column, value func(r *Row) []byte) {
		values, oids = append(values, array(c.OID, len(b.rows), func(i int) []byte { return value(&b.rows[i]) })), append(oids, 0)
	}
	for i, c := range s.keys {
		add(c, func(r *Row) []byte { return r.Key[i] })
	}
	for i, c := range s.writes {
		add(c, func(r *Row) []byte { return r.New[i] })
	}
	for i, c := range s.reads {
		add(c, func(r *Row) []byte { return r.Old[i] })
	}
	sql := s.write
	if skipLocked {
		sql = s.skip
	}
	return s.db.fenced(ctx, l, sql, b, o, values, oids)
}

// addFailures puts rows into the failure table.
func (s *statements) addFailures(ctx context.Context, l *lease, rows []failed, o settings) error {
	n := len(rows)
	values := [][]byte{array(pgtype.ByteaOID, n, func(i int) []byte { return packKey(rows[i].key) }),
		array(pgtype.TextOID, n, func(i int) []byte { return []byte(rows[i].class) })}
	for k, c := range s.keys {
		values = append(values, array(c.OID, n, func(i int) []byte { return rows[i].key[k] }))
	}
	_, err := s.db.fenced(ctx, l, s.add, &batch{}, o, values, make([]uint32, len(values)))
	return err
}

// fenced runs a statement that counts only under the lease.
func (db *DB) fenced(ctx context.Context, l *lease, sql string, b *batch, o settings, values [][]byte, oids []uint32) (n int64, err error) {
	held := false
	err = db.run(ctx, o, sql, append(l.parameters(b), values...), append(fenceTypes[:len(fenceTypes):len(fenceTypes)], oids...), func(v [][]byte) {
		held, n = true, int64(binary.BigEndian.Uint64(v[0]))
	})
	if err == nil && !held {
		err = errLost
	}
	return n, err
}

func cloneAll(v [][]byte) [][]byte {
	size := 0
	for _, x := range v {
		size += len(x)
	}
	buf, own := make([]byte, 0, size), make([][]byte, len(v))
	for i, x := range v {
		if x != nil {
			at := len(buf)
			buf = append(buf, x...)
			own[i] = buf[at:len(buf):len(buf)]
		}
	}
	return own
}
