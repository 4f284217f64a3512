package migrate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
)

// Event is one entry of a job's record, which is only ever added to. Each event
// holds the hash of the one before it, and the first that of the job's spec.
type Event struct {
	Seq    int64           `json:"seq"`
	At     string          `json:"at"` // UTC, by the database's clock
	Actor  string          `json:"actor"`
	Event  string          `json:"event"`
	Detail json.RawMessage `json:"detail"`
	Prev   []byte          `json:"prev"`
	Hash   []byte          `json:"hash"`
}

// sum is SHA-256 over the event's fields, each after its length in eight bytes.
func (e *Event) sum(job string) []byte {
	h := sha256.New()
	for _, part := range [][]byte{[]byte("fieldcrypt job event 1"), []byte(job), binary.BigEndian.AppendUint64(nil, uint64(e.Seq)),
		[]byte(e.At), []byte(e.Actor), []byte(e.Event), e.Detail, e.Prev} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write(part)
	}
	return h.Sum(nil)
}

// record adds an event. It holds the job's row until the transaction ends.
func record(ctx context.Context, q querier, job, actor, event string, detail any) error {
	text, err := json.Marshal(detail)
	if err != nil {
		return err
	}
	e := Event{Actor: actor, Event: event, Detail: text}
	found, err := one(ctx, q, `UPDATE fieldcrypt_jobs SET events = events + 1 WHERE id = $1 RETURNING events, head, {micros}`,
		[]any{job}, &e.Seq, &e.Prev, &e.At)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("%s: %w", job, ErrJobNotFound)
	}
	e.Hash = e.sum(job)
	if _, err := q.exec(ctx, `INSERT INTO fieldcrypt_job_events (job, seq, at, actor, event, detail, prev, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, job, e.Seq, e.At, e.Actor, e.Event, string(e.Detail), e.Prev, e.Hash); err != nil {
		return err
	}
	_, err = q.exec(ctx, `UPDATE fieldcrypt_jobs SET head = $2 WHERE id = $1`, job, e.Hash)
	return err
}

// Record adds an event of the caller's own, such as the result of a verify, to the
// job's chain.
func Record(ctx context.Context, db *DB, job, actor, event string, detail any) error {
	return db.tx(ctx, func(q querier) error { return record(ctx, q, job, actor, event, detail) })
}

// Events returns a job's events after checking their chain from the spec to the
// newest. An event that was changed, removed or moved is ErrTampered. Who can
// write the tables can forge a whole chain: keep the newest hash elsewhere, as a
// report does, and compare.
func Events(ctx context.Context, db *DB, job string) ([]Event, error) {
	var events []Event
	var want int64
	var prev, head []byte
	err := db.tx(ctx, func(q querier) error {
		events = nil
		var spec string
		found, err := one(ctx, q, `SELECT spec, spec_hash, events, head FROM fieldcrypt_jobs WHERE id = $1 {lock}`, []any{job}, &spec, &prev, &want, &head)
		if err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("%s: %w", job, ErrJobNotFound)
		}
		if h := sha256.Sum256([]byte(spec)); !bytes.Equal(h[:], prev) {
			return fmt.Errorf("job %s: its spec does not have its hash: %w", job, ErrTampered)
		}
		return q.query(ctx, `SELECT seq, at, actor, event, detail, prev, hash FROM fieldcrypt_job_events WHERE job = $1 ORDER BY seq`, []any{job},
			func(scan func(...any) error) error {
				var e Event
				var detail string
				if err := scan(&e.Seq, &e.At, &e.Actor, &e.Event, &detail, &e.Prev, &e.Hash); err != nil {
					return err
				}
				e.Detail = json.RawMessage(detail)
				events = append(events, e)
				return nil
			})
	})
	if err != nil {
		return nil, err
	}
	for i := range events {
		e := &events[i]
		if e.Seq != int64(i)+1 || !bytes.Equal(e.Prev, prev) || !bytes.Equal(e.sum(job), e.Hash) {
			return nil, fmt.Errorf("job %s, event %d: %w", job, i+1, ErrTampered)
		}
		prev = e.Hash
	}
	if int64(len(events)) != want || !bytes.Equal(prev, head) {
		return nil, fmt.Errorf("job %s: %d events of %d: %w", job, len(events), want, ErrTampered)
	}
	return events, nil
}
