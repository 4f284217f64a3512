package migrate

import (
	"context"
	"fmt"
	"strconv"
)

// sampled is how many rows an estimate looks at.
const sampled = 20_000

// What was measured of a row, from and to: bytes of WAL around it, and rows a
// second with two workers on a small server.
var (
	walBytes    = [2]float64{150, 300}
	walTimes    = [2]float64{1.2, 2.5} // its own size
	scanRate    = [2]float64{1_000_000, 100_000}
	rewriteRate = [2]float64{100_000, 8_000}
	openRate    = [2]float64{300_000, 25_000}
)

// estimate fills in what a job would run and take.
func (p *Project) estimate(ctx context.Context, t *TablePlan, live *Table) error {
	_, leaves, err := p.DB.relations(ctx, t.Spec.Table)
	if err != nil {
		return err
	}
	if len(leaves) > 0 {
		r, err := p.DB.relation(ctx, leaves[0], &t.Spec)
		if err != nil {
			return err
		}
		if t.Statements, err = p.DB.statements(r, &t.Spec); err != nil {
			return err
		}
	}
	todo := t.Spec.Todo
	if todo == "" {
		todo = "true"
	}
	sample, scale := "", 1.0
	if p.DB.dialect == postgres && live.Rows > sampled {
		sample, scale = fmt.Sprintf(" TABLESAMPLE SYSTEM (%f)", 100*sampled/live.Rows), live.Rows/sampled
	}
	var rows, needs int64
	if _, err := one(ctx, p.DB.q(), `SELECT count(*), coalesce(sum(CASE WHEN `+todo+` THEN 1 ELSE 0 END), 0) FROM `+t.Spec.Table+` t`+sample, nil, &rows, &needs); err != nil {
		return err
	}
	t.Rows, t.Todo = int64(float64(rows)*scale), int64(float64(needs)*scale)
	width := 0.0
	if live.Rows > 0 {
		width = float64(live.Bytes) / live.Rows
	}
	for i := range 2 {
		rate, passes := openRate[i], 1.0
		if t.Spec.Kind == KindReencrypt {
			rate, passes = rewriteRate[i], 2
			if p.DB.dialect == postgres {
				t.WAL[i] = int64(float64(t.Todo) * (walTimes[i]*width + walBytes[i]))
			}
		}
		t.Seconds[i] = passes*float64(t.Rows)/scanRate[i] + float64(t.Todo)/rate
	}
	return nil
}

// statements are those that a job would run on a table, first to read.
func (db *DB) statements(r *relation, spec *Spec) ([]string, error) {
	rows, err := db.rows(r, spec, false)
	if err != nil {
		return nil, err
	}
	switch s := rows.(type) {
	case *statements:
		read, _, _, err := s.from(&lease{}, 1)
		if err != nil || s.write == "" {
			return []string{read}, err
		}
		return []string{read, s.write}, nil
	case *sqliteRows:
		list := []string{s.read + s.order + strconv.Itoa(minBatch) + ") w"}
		if len(s.writes) > 0 {
			list = append(list, s.update)
		}
		return list, nil
	}
	return nil, nil
}
