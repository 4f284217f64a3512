package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fieldcrypt/go/keymgr"
)

// tool stands in proofs.
const tool = "fieldcrypt migrate"

// verify opens and counts everything after the guards, and makes the proof.
func (r *retirement) verify(ctx context.Context, marks []string) (keymgr.Proof, error) {
	proof := keymgr.Proof{Scope: r.scope, Purpose: keymgr.Seal, KeyID: r.key, Version: r.version, Actor: r.Actor, Tool: tool}
	plan, err := r.Plan(ctx, PlanOptions{Kind: KindRetire, Domain: r.scope.Domain, Tenant: r.scope.Tenant, KeyIDs: []uint32{r.key},
		version: r.version, guard: strings.Join(marks, " ")})
	if err != nil {
		return proof, err
	}
	if err := r.endObsolete(ctx, plan); err != nil {
		return proof, err
	}
	jobs, err := r.start(ctx, plan, r.o.Limits, true)
	if err != nil {
		return proof, err
	}
	r.tell(StepVerify, jobs, "")
	if err := r.Work(ctx, jobs, r.o.Work); err != nil {
		return proof, err
	}
	chain := sha256.New()
	for i, id := range jobs {
		t, job, err := r.verified(ctx, id)
		if err != nil {
			return proof, err
		}
		if proof.BeganAt.IsZero() || job.Created.Before(proof.BeganAt) {
			proof.BeganAt = job.Created
		}
		left, err := r.left(ctx, i)
		if err != nil {
			return proof, err
		}
		for k, c := range t.Columns {
			// What does not open was waived, and is no value of the scope's.
			column := keymgr.ProofColumn{Table: t.Table, Column: c.Column, Rows: c.Opened, Left: max(left[k], c.named), Opened: c.Opened}
			if column.Left > 0 {
				return proof, fmt.Errorf("%w: key %d, %d of %s.%s", ErrKeyNamed, r.key, column.Left, t.Table, c.Column)
			}
			proof.Columns = append(proof.Columns, column)
		}
		if err := Record(ctx, r.DB, id, r.Actor, "verified", t); err != nil {
			return proof, err
		}
		for _, id := range []string{r.jobs[i].ID, id} {
			head, err := r.head(ctx, id)
			if err != nil {
				return proof, err
			}
			fmt.Fprintf(chain, "%s %x\n", id, head)
		}
	}
	if err := r.elsewhere(ctx); err != nil {
		return proof, err
	}
	proof.Chain = hex.EncodeToString(chain.Sum(nil))
	if proof.EndedAt, err = r.now(ctx); err != nil {
		return proof, err
	}
	for i, job := range r.jobs {
		if err := Advance(ctx, r.DB, job.ID, PhaseSwept, phaseRetired, r.Actor, proof); err != nil {
			return proof, err
		}
		err := Advance(ctx, r.DB, jobs[i], PhaseSwept, PhaseDone, r.Actor, map[string]string{"proof": proof.SHA256()})
		if err != nil && !errors.Is(err, ErrWrongPhase) {
			return proof, err
		}
	}
	return proof, nil
}

// head is the hash of a job's newest event, after its chain was checked.
func (p *Project) head(ctx context.Context, job string) ([]byte, error) {
	events, err := Events(ctx, p.DB, job)
	if err != nil {
		return nil, err
	}
	return events[len(events)-1].Hash, nil
}

// left counts the values of the scope, in each column of a table, that name the
// key. SQLite counts while nobody can write.
func (r *retirement) left(ctx context.Context, i int) ([]int64, error) {
	o, err := paramsOf(r.jobs[i])
	if err != nil {
		return nil, err
	}
	part, err := r.part(o)
	if err != nil {
		return nil, err
	}
	var sums []string
	left := make([]int64, len(part.Columns))
	dest := make([]any, len(left))
	for k, c := range part.Columns {
		sums, dest[k] = append(sums, "coalesce(sum(CASE WHEN "+r.DB.dialect.named(c.Column, o.Keys)+" THEN 1 ELSE 0 END), 0)"), &left[k]
	}
	sql := "SELECT " + strings.Join(sums, ", ") + " FROM " + r.jobs[i].Target
	if o.Tenant != "" {
		tenant, err := r.DB.dialect.ofTenant(part, o.Tenant)
		if err != nil {
			return nil, err
		}
		sql += " WHERE " + tenant
	}
	err = r.DB.tx(ctx, func(q querier) error {
		if r.DB.dialect == sqlite { // a write: now nobody else does
			if _, err := q.exec(ctx, `UPDATE fieldcrypt_jobs SET events = events WHERE id = $1`, r.jobs[i].ID); err != nil {
				return err
			}
		}
		_, err := one(ctx, q, sql, nil, dest...)
		return err
	})
	return left, err
}

// proved returns the proof that is in the chains of the jobs, if it still holds and
// the guards are there; nil if there is none.
func (r *retirement) proved(ctx context.Context) (*keymgr.Proof, error) {
	var proof *keymgr.Proof
	for i, job := range r.jobs {
		if job.Phase != phaseRetired {
			return nil, nil
		}
		list, err := r.guardsOf(job, r.key)
		if err != nil {
			return nil, err
		}
		for _, g := range list {
			if r.DB.dialect == sqlite {
				break
			}
			if there, err := g.there(ctx, r.DB); err != nil || !there {
				return nil, err
			}
		}
		events, err := Events(ctx, r.DB, job.ID)
		if err != nil {
			return nil, err
		}
		var of *keymgr.Proof
		for _, e := range events {
			if e.Event != phaseRetired {
				continue
			}
			of = &keymgr.Proof{}
			if err := json.Unmarshal(e.Detail, of); err != nil {
				return nil, fmt.Errorf("job %s: %w: %w", job.ID, ErrTampered, err)
			}
		}
		if of == nil || i > 0 && of.SHA256() != proof.SHA256() {
			return nil, nil
		}
		proof = of
	}
	at, err := r.now(ctx)
	if err != nil || proof.Version != r.version || at.Sub(proof.EndedAt) > keymgr.MaxProofAge-time.Hour {
		return nil, err
	}
	return proof, nil
}
