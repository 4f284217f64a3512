package migrate

import (
	"context"
	"fmt"
	"slices"
)

// shard is a range of one table: keys over lo up to hi, and in a pass in heap
// order the pages from blockLo to before blockHi: what was added to the table
// later is met in the next pass. nil has no bound.
type shard struct {
	relation         string
	lo, hi           []byte
	blockLo, blockHi *int64
}

// perShard is how many rows are worth a shard, and maxShards how many there are
// of one table unless the spec says so.
const (
	perShard  = 25_000
	maxShards = 16
)

func (s *shard) insert(ctx context.Context, q querier, job string, number int) error {
	_, err := q.exec(ctx, `INSERT INTO fieldcrypt_job_shards (job, shard, relation, lo, hi, block_lo, block_hi) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		job, number, s.relation, s.lo, s.hi, s.blockLo, s.blockHi)
	return err
}

func (spec *Spec) shards(rows float64) int {
	if spec.Shards > 0 {
		return spec.Shards
	}
	return min(max(int(rows/perShard), 1), maxShards)
}

// ranges makes shards out of the keys between them and the number of pages.
func ranges(relation string, bounds [][]byte, pages int64, heap bool) []shard {
	n := int64(len(bounds) + 1)
	shards := make([]shard, n)
	for i := range shards {
		s := &shards[i]
		s.relation = relation
		if i > 0 {
			s.lo = bounds[i-1]
		}
		if i < len(bounds) {
			s.hi = bounds[i]
		}
		if heap {
			lo, hi := pages*int64(i)/n, pages*int64(i+1)/n
			s.blockLo, s.blockHi = &lo, &hi
		}
	}
	return shards
}

// again makes every shard ready for one more pass.
func again(ctx context.Context, q querier, job string) error {
	if _, err := q.exec(ctx, `UPDATE fieldcrypt_jobs SET pass = pass + 1 WHERE id = $1`, job); err != nil {
		return err
	}
	_, err := q.exec(ctx, `UPDATE fieldcrypt_job_shards SET done = false, cursor = NULL, pass_changed = 0, pass_conflicts = 0, counts = '' WHERE job = $1`, job)
	return err
}

// finishPass looks whether the pass has ended, and if so begins the next one or,
// after one that changed nothing, ends the sweep. It reports whether anything is
// left to do. New partitions are walked in a pass of their own.
func (db *DB) finishPass(ctx context.Context, job *Job, actor string) (more bool, err error) {
	id, stuck := job.ID, false
	_, leaves, err := db.relations(ctx, job.Target)
	if err != nil {
		return false, err
	}
	err = db.tx(ctx, func(q querier) error {
		// A write, so that on SQLite too nobody comes between.
		if _, err := q.exec(ctx, `UPDATE fieldcrypt_jobs SET events = events WHERE id = $1`, id); err != nil {
			return err
		}
		j, err := load(ctx, q, id, "")
		if err != nil {
			return err
		}
		more = j.Phase == PhaseSweeping
		if !more {
			return nil
		}
		var shards, open, rewritten, conflicts int64
		if _, err := one(ctx, q, `SELECT count(*), coalesce(sum(CASE WHEN done THEN 0 ELSE 1 END), 0), coalesce(sum(pass_changed), 0), coalesce(sum(pass_conflicts), 0)
			FROM fieldcrypt_job_shards WHERE job = $1`, []any{id}, &shards, &open, &rewritten, &conflicts); err != nil {
			return err
		}
		if open > 0 {
			return nil
		}
		added, err := adopt(ctx, q, id, int(shards), leaves)
		if err != nil {
			return err
		}
		fruitless := 0
		if rewritten == 0 && conflicts > 0 {
			if _, err := one(ctx, q, `UPDATE fieldcrypt_jobs SET fruitless = fruitless + 1 WHERE id = $1 RETURNING fruitless`, []any{id}, &fruitless); err != nil {
				return err
			}
		}
		stuck = fruitless >= maxFruitless
		if rewritten > 0 || stuck {
			if _, err := q.exec(ctx, `UPDATE fieldcrypt_jobs SET fruitless = 0 WHERE id = $1`, id); err != nil {
				return err
			}
		}
		detail := map[string]any{"pass": j.Pass, "changed": rewritten, "conflicts": conflicts}
		if rewritten+conflicts+added > 0 {
			if err := again(ctx, q, id); err != nil {
				return err
			}
			return record(ctx, q, id, actor, "pass", detail)
		}
		more = false
		if _, err := q.exec(ctx, `UPDATE fieldcrypt_jobs SET phase = $2 WHERE id = $1`, id, PhaseSwept); err != nil {
			return err
		}
		if err := settle(ctx, q, id, j.Pass); err != nil {
			return err
		}
		return record(ctx, q, id, actor, PhaseSwept, detail)
	})
	if err == nil && stuck {
		err = &Incomplete{Job: id, Cause: ErrNoProgress}
	}
	return more, err
}

// maxFruitless is how many passes may meet conflicts alone, one after another.
const maxFruitless = 10

// adopt adds a shard for each table that has none: a partition that came later.
func adopt(ctx context.Context, q querier, job string, shards int, leaves []string) (int64, error) {
	var known []string
	err := q.query(ctx, `SELECT DISTINCT relation FROM fieldcrypt_job_shards WHERE job = $1`, []any{job}, func(scan func(...any) error) error {
		known = append(known, "")
		return scan(&known[len(known)-1])
	})
	if err != nil {
		return 0, err
	}
	added := 0
	for _, leaf := range leaves {
		if slices.Contains(known, leaf) {
			continue
		}
		s := shard{relation: leaf}
		if err := s.insert(ctx, q, job, shards+added); err != nil {
			return 0, fmt.Errorf("%s: %w", leaf, err)
		}
		added++
	}
	return int64(added), nil
}
