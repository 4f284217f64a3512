package migrate

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
)

// errTooMuch: a stretch of pages does not fit into memory.
var errTooMuch = errors.New("a window is too large")

// readWindow reads a stretch of about n rows that begins at the lease's cursor.
func (s *statements) readWindow(ctx context.Context, l *lease, n int, o settings) (*window, error) {
	sql, values, oids, err := s.from(l, n)
	if err != nil {
		return nil, err
	}
	w := &window{}
	var block int64
	if s.heap {
		block = blockOf(l) + int64(max(n/s.perPage(), 1))
		block = min(block, *l.blockHi)
		w.last = block == *l.blockHi
		w.cursor = int8Bytes(block)
	}
	var end [][]byte
	cut, count, least := false, 0, 0 // one page or one row is always kept
	if s.heap {
		least = s.perPage()
	}
	nk := len(s.keys)
	err = s.db.run(ctx, o, sql, values, oids, func(v [][]byte) {
		if count++; cut || w.bytes > windowBytes && n > least {
			cut = true
			return
		}
		w.scanned++
		own := cloneAll(v)
		end = own[:nk:nk]
		if v[nk][0] == 0 {
			return
		}
		for _, x := range own {
			w.bytes += len(x) + 24
		}
		w.rows = append(w.rows, Row{Key: end, Old: own[nk+1:]})
	})
	switch {
	case err != nil:
		return nil, gone(s.name, err)
	case s.heap && cut: // the pages after the last row's are not known: all again, in smaller steps
		return nil, errTooMuch
	case s.heap:
		return w, nil
	}
	w.last = count < n && !cut
	w.cursor = packKey(end)
	return w, nil
}

// from is the statement that reads n rows from the lease's cursor on.
func (s *statements) from(l *lease, n int) (sql string, values [][]byte, oids []uint32, err error) {
	if s.heap {
		from := blockOf(l)
		to := from + int64(max(n/s.perPage(), 1))
		to = min(to, *l.blockHi)
		tid := func(block int64) []byte { return append(int4Bytes(int(block)), 0, 0) }
		return s.read, [][]byte{tid(from), tid(to)}, []uint32{pgtype.TIDOID, pgtype.TIDOID}, nil
	}
	var where []string
	over := func(op string, packed []byte) error {
		if packed == nil {
			return nil
		}
		key, err := unpackKey(packed)
		if err != nil || len(key) != len(s.keys) {
			return fmt.Errorf("%s: %w: %w", s.name, ErrTableGone, errKey) // another key than when it was stored
		}
		row := list(s.keys, func(i int, c Column) string {
			values, oids = append(values, key[i]), append(oids, c.OID)
			return fmt.Sprintf("$%d", len(values))
		})
		where = append(where, "("+s.keyList("t")+") "+op+" ("+row+")")
		return nil
	}
	from := l.cursor
	if from == nil {
		from = l.lo
	}
	if err := over(">", from); err != nil {
		return "", nil, nil, err
	}
	if err := over("<=", l.hi); err != nil {
		return "", nil, nil, err
	}
	clause := ""
	if where != nil {
		clause = " WHERE " + strings.Join(where, " AND ")
	}
	values, oids = append(values, int8Bytes(int64(n))), append(oids, pgtype.Int8OID)
	return fmt.Sprint(s.read, clause, s.order, "$", len(values), ") w"), values, oids, nil
}

func blockOf(l *lease) int64 {
	if len(l.cursor) == 8 {
		return int64(binary.BigEndian.Uint64(l.cursor))
	}
	return *l.blockLo
}
