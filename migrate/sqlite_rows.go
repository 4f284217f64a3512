package migrate

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// sqliteRows is a table in SQLite. There is one writer at a time, so that rows
// compared and written in one transaction that began with a write are safe.
type sqliteRows struct {
	*relation
	db                  *DB
	read, order, update string
}

func newSQLiteRows(db *DB, r *relation, spec *Spec) *sqliteRows {
	todo := spec.Todo
	if todo == "" {
		todo = "true"
	}
	s := &sqliteRows{relation: r, db: db}
	// An expression has no declared type by which a driver would make a time of it.
	outer := list(r.keys, func(i int, c Column) string { return fmt.Sprintf("+k%d", i) }) + ", todo"
	inner := list(r.keys, func(i int, c Column) string { return fmt.Sprintf("t.%s AS k%d", quote(c.Name), i) })
	for i, c := range r.reads {
		inner += fmt.Sprintf(", t.%s AS r%d", quote(c.Name), i)
		outer += fmt.Sprintf(", CASE WHEN todo THEN r%d END", i)
	}
	s.read = "SELECT " + outer + " FROM (SELECT " + inner + ", (" + todo + ") IS TRUE AS todo FROM " + r.name + " t"
	s.order = " ORDER BY " + s.keyList() + " LIMIT "

	n := 0
	next := func() string { n++; return "?" + strconv.Itoa(n) }
	set := list(r.writes, func(_ int, c Column) string { return quote(c.Name) + " = " + next() })
	var where []string
	for _, c := range r.keys {
		where = append(where, quote(c.Name)+" = "+next())
	}
	for _, c := range r.reads {
		p := next()
		where = append(where, quote(c.Name)+" IS "+p+" COLLATE BINARY AND typeof("+quote(c.Name)+") = typeof("+p+")")
	}
	s.update = "UPDATE " + r.name + " SET " + set + " WHERE " + strings.Join(where, " AND ")
	return s
}

func (s *sqliteRows) keyList() string {
	return list(s.keys, func(_ int, c Column) string { return "t." + quote(c.Name) })
}

func (s *sqliteRows) readWindow(ctx context.Context, l *lease, n int, _ settings) (*window, error) {
	sql, args := s.read, []any(nil)
	if l.cursor != nil {
		key, err := unpackKey(l.cursor)
		if err != nil || len(key) != len(s.keys) {
			return nil, fmt.Errorf("%s: %w: %w", s.name, ErrTableGone, errKey)
		}
		marks := make([]string, len(key))
		for i, k := range key {
			v, err := unpack(k)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			args, marks[i] = append(args, v), "?"+strconv.Itoa(i+1)
		}
		sql += " WHERE (" + s.keyList() + ") > (" + strings.Join(marks, ", ") + ")"
	}
	w := &window{cursor: l.cursor}
	rows, err := s.db.sqlite.QueryContext(ctx, sql+s.order+strconv.Itoa(n)+") w", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	nk, nr := len(s.keys), len(s.reads)
	for rows.Next() {
		if w.bytes > windowBytes {
			return w, nil
		}
		values := make([]any, nk+1+nr)
		dest := make([]any, len(values))
		for i := range values {
			dest[i] = &values[i]
		}
		if err := rows.Scan(dest...); err != nil {
			return nil, err
		}
		w.scanned++
		r := Row{key: values[:nk], origin: values[nk+1:]}
		packed := make([][]byte, nk)
		for i, v := range r.key {
			packed[i] = pack(v)
			r.Key = append(r.Key, plain(v))
		}
		w.cursor = packKey(packed)
		if todo, _ := values[nk].(int64); todo == 0 {
			continue
		}
		for _, v := range r.origin {
			b := plain(v)
			w.bytes += len(b) + 24
			r.Old = append(r.Old, b)
		}
		w.rows = append(w.rows, r)
	}
	w.last = w.scanned < int64(n)
	return w, rows.Err()
}

func (s *sqliteRows) writeBatch(ctx context.Context, l *lease, b *batch, _ settings, _ bool) (changed int64, err error) {
	err = s.db.tx(ctx, func(q querier) error {
		if err := hold(ctx, q, l); err != nil {
			return err
		}
		changed = 0
		for _, r := range b.rows {
			var args []any
			for i, c := range s.writes {
				args = append(args, stored(c.Type, r.New[i]))
			}
			n, err := q.exec(ctx, s.update, append(append(args, r.key...), r.origin...)...)
			if err != nil {
				return err
			}
			changed += n
		}
		missed := int64(len(b.rows)) - changed
		_, err := q.exec(ctx, `UPDATE fieldcrypt_job_shards SET changed = changed + $3, conflicts = conflicts + $4, pass_changed = pass_changed + $3,
			pass_conflicts = pass_conflicts + $4, cursor = coalesce($5, cursor), scanned = scanned + $6, failed = failed + $7, busy_us = busy_us + $8,
			batch_rows = $9, counts = coalesce($10, counts) WHERE job = $1 AND shard = $2`, l.job, l.number, changed, missed, b.cursor, b.scanned, b.failed, b.took.Microseconds(), b.size, b.counts)
		return err
	})
	return changed, err
}

// hold renews the lease, which also makes the transaction the only writer.
func hold(ctx context.Context, q querier, l *lease) error {
	n, err := q.exec(ctx, `UPDATE fieldcrypt_job_shards SET lease_until = {after($4)}, heartbeat_at = {now}
		WHERE job = $1 AND shard = $2 AND fence = $3 AND lease_until > {now}`, l.job, l.number, l.fence, l.ttl.Seconds())
	if err == nil && n == 0 {
		err = errLost
	}
	return err
}

func (s *sqliteRows) addFailures(ctx context.Context, l *lease, rows []failed, _ settings) error {
	return s.db.tx(ctx, func(q querier) error {
		if err := hold(ctx, q, l); err != nil {
			return err
		}
		for _, f := range rows {
			text := make([]string, len(f.key))
			for i, k := range f.key {
				text[i] = string(k)
			}
			shown, err := json.Marshal(text)
			if err != nil {
				return err
			}
			if _, err := q.exec(ctx, `INSERT INTO fieldcrypt_job_failures (job, relation, key, key_text, class, pass, first_at, last_at)
				VALUES ($1, $2, $3, $4, $5, $6, {now}, {now})`+upsertFailure, l.job, s.name, packKey(f.key), string(shown), f.class, l.pass); err != nil {
				return err
			}
		}
		return nil
	})
}
