package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/migrate"
)

// operator rotates the key: a process beside the service, with keys of its own.
// The command is fieldcrypt rotate medical --execute; this is what it does.
type operator struct {
	*process
	out *account
	old uint32 // the id of the key that is to go
}

func (o *operator) project() (*migrate.Project, error) {
	m, err := fieldcrypt.ParseManifest(manifest)
	if err != nil {
		return nil, err
	}
	return &migrate.Project{DB: migrate.Postgres(o.pool), Crypter: o.fc, Keys: o.keys, Manifest: m, Actor: "operator"}, nil
}

// rotate is the whole road: a new key is added, acknowledged by the instances and
// made the primary, every row is sealed anew, and the old key is proven unneeded
// and disabled. Interrupted anywhere, it goes on when it is called again.
func (o *operator) rotate(ctx context.Context, traffic *traffic) error {
	p, err := o.project()
	if err != nil {
		return err
	}
	ctx, done := context.WithCancel(ctx)
	defer done()
	go o.watch(ctx, traffic)
	last := ""
	state, err := p.Rotate(ctx, medical, migrate.RotateOptions{Progress: func(s migrate.RotateState) {
		text := fmt.Sprintf("%-8s %s", s.Step, s.Next)
		if s.Waits != "" {
			text = fmt.Sprintf("%-8s waits: %s", s.Step, s.Waits)
		}
		if text != last {
			o.out.line("%s", text)
			last = text
		}
	}})
	if err != nil {
		return fmt.Errorf("rotation: %w", err)
	}
	for _, proof := range state.Proofs {
		for _, c := range proof.Columns {
			o.out.line("proof    key %d: %s.%s has %d values, %d of them opened, %d need the key", proof.KeyID, c.Table, c.Column, c.Rows, c.Opened, c.Left)
		}
	}
	return nil
}

// watch prints, each second, how far the rows and the service are.
func (o *operator) watch(ctx context.Context, traffic *traffic) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if rows, left, err := o.count(ctx); err == nil {
			o.out.line("         %d rows, %d with the old key; %s", rows, left, traffic)
		}
	}
}

// count counts the rows, and those of which a column names the old key. A key id
// stands at a fixed place, so that SQL can count what it cannot open.
func (o *operator) count(ctx context.Context) (rows, left int64, err error) {
	var names []string
	for _, column := range []string{"name", "mrn", "notes"} {
		names = append(names, fmt.Sprintf(`substr(%s, 4, 4) = '\x%08x'`, column, o.old))
	}
	err = o.pool.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE `+strings.Join(names, " OR ")+`) FROM patients`).Scan(&rows, &left)
	return rows, left, err
}

// stateOf is where a seal key stands in its life.
func (o *operator) stateOf(ctx context.Context, id uint32) (keymgr.KeyState, error) {
	keys, err := o.keys.Keys(ctx, medical)
	if err != nil {
		return "", err
	}
	for _, k := range keys.Info(keymgr.Seal) {
		if k.ID == id {
			return k.State, nil
		}
	}
	return "", fmt.Errorf("key %d: %w", id, keymgr.ErrUnknownKey)
}
