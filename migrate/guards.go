package migrate

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// maxIdentifier is Postgres's, in bytes.
const maxIdentifier = 63

// guards are the CHECKs that bar a key from a table's columns, one for each. They
// look at the ciphertext alone, and where the keys are per tenant at the tenant.
func guards(table string, part *fieldcrypt.ManifestTable, tenant string, key uint32) ([]Guard, error) {
	var list []Guard
	for _, c := range part.Columns {
		check := fmt.Sprintf("substr(%s, %d, %d) <> %s", quote(c.Column), keyIDAt, keyIDLen, postgres.keyList([]uint32{key}))
		if tenant != "" {
			of, err := postgres.ofTenant(part, tenant)
			if err != nil {
				return nil, err
			}
			check = "NOT (" + of + ") OR " + check
		}
		name := fmt.Sprintf("fieldcrypt_gone_%08x_%s", key, c.Column)
		if len(name) > maxIdentifier {
			name = fmt.Sprintf("fieldcrypt_gone_%08x_%.16x", key, sha256.Sum256([]byte(c.Column)))
		}
		list = append(list, Guard{Table: table, Name: name, Check: check})
	}
	return list, nil
}

// guardsOf are those of a reencrypt job for a key.
func (p *Project) guardsOf(job *Job, key uint32) ([]Guard, error) {
	o, err := paramsOf(job)
	if err != nil {
		return nil, err
	}
	part, err := p.part(o)
	if err != nil {
		return nil, err
	}
	return guards(job.Target, part, o.Tenant, key)
}

// The events of a reencrypt job that tell of its guards.
const (
	eventGuarded   = "guarded"   // every column bars the key, and holds it nowhere
	eventUnguarded = "unguarded" // the bars are gone
)

// guard bars a key from the columns of a job's table, and returns what names the
// event that says so. ErrViolated: a value names the key; the bars are gone again.
// SQLite has no such bars.
func (p *Project) guard(ctx context.Context, job *Job, key uint32) (string, error) {
	list, err := p.guardsOf(job, key)
	if err != nil {
		return "", err
	}
	there := true
	for _, g := range list {
		if p.DB.dialect == sqlite {
			break
		}
		is, err := g.there(ctx, p.DB)
		if err != nil {
			return "", err
		}
		there = there && is
	}
	if !there { // somebody may have removed them after they were told of
		if at, err := p.guarded(ctx, job.ID); err != nil {
			return "", err
		} else if at > 0 {
			if err := Record(ctx, p.DB, job.ID, p.Actor, eventUnguarded, map[string]uint32{"key": key}); err != nil {
				return "", err
			}
		}
	}
	for _, g := range list {
		if p.DB.dialect == sqlite {
			break
		}
		err := g.Add(ctx, p.DB)
		if err == nil {
			err = g.Validate(ctx, p.DB)
		}
		if err != nil {
			return "", err
		}
	}
	at, err := p.guarded(ctx, job.ID)
	if err == nil && at == 0 {
		if err = Record(ctx, p.DB, job.ID, p.Actor, eventGuarded, map[string]any{"key": key, "columns": len(list)}); err == nil {
			at, err = p.guarded(ctx, job.ID)
		}
	}
	return fmt.Sprintf("%s/%d", job.ID, at), err
}

// guarded is the number of the first event that says so since the guards were last
// gone, or rows last changed; 0 for none.
func (p *Project) guarded(ctx context.Context, job string) (int64, error) {
	events, err := Events(ctx, p.DB, job)
	if err != nil {
		return 0, err
	}
	var at int64
	for _, e := range events {
		switch {
		case slices.Contains([]string{eventUnguarded, PhaseSweeping, "started"}, e.Event):
			at = 0
		case e.Event == eventGuarded && at == 0:
			at = e.Seq
		}
	}
	return at, nil
}

// unguard removes the guards of a job for a key.
func (p *Project) unguard(ctx context.Context, job *Job, key uint32) error {
	if p.DB.dialect == sqlite {
		return nil
	}
	list, err := p.guardsOf(job, key)
	if err != nil {
		return err
	}
	gone := 0
	for _, g := range list {
		there, err := g.there(ctx, p.DB)
		if err != nil {
			return err
		}
		if !there {
			continue
		}
		if err := g.Drop(ctx, p.DB); err != nil {
			return err
		}
		gone++
	}
	if gone == 0 {
		return nil
	}
	return Record(ctx, p.DB, job.ID, p.Actor, eventUnguarded, map[string]any{"key": key, "columns": gone})
}
