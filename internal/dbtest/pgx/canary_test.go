package pgx_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/tracelog"

	"github.com/fieldcrypt/go/drivers/pgxcrypt"
	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/internal/pgtest"
)

// tracer prints all that pgx tells a tracer, in every way that there is.
type tracer struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (tr *tracer) print(values ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, v := range values {
		fmt.Fprintf(&tr.out, "%v\n%+v\n%#v\n%s\n%q\n%x\n", v, v, v, v, v, v)
		b, err := json.Marshal(v)
		fmt.Fprintf(&tr.out, "%s %v\n", b, err)
		slog.New(slog.NewTextHandler(&tr.out, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&tr.out, nil)).Info("x", "v", v)
	}
}

// err prints an error and all that it wraps.
func (tr *tracer) err(err error) {
	for ; err != nil; err = errors.Unwrap(err) {
		tr.print(err)
	}
}

func (tr *tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	tr.print(d)
	tr.print(d.Args...)
	return ctx
}

func (tr *tracer) TraceQueryEnd(_ context.Context, _ *pgx.Conn, d pgx.TraceQueryEndData) {
	tr.print(d)
	tr.err(d.Err)
}

func (tr *tracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceBatchStartData) context.Context {
	tr.print(d, *d.Batch)
	for _, q := range d.Batch.QueuedQueries {
		tr.print(q.SQL)
		tr.print(q.Arguments...)
	}
	return ctx
}

func (tr *tracer) TraceBatchQuery(_ context.Context, _ *pgx.Conn, d pgx.TraceBatchQueryData) {
	tr.print(d)
	tr.print(d.Args...)
	tr.err(d.Err)
}

func (tr *tracer) TraceBatchEnd(_ context.Context, _ *pgx.Conn, d pgx.TraceBatchEndData) {
	tr.print(d)
	tr.err(d.Err)
}

func (tr *tracer) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceCopyFromStartData) context.Context {
	tr.print(d)
	return ctx
}

func (tr *tracer) TraceCopyFromEnd(_ context.Context, _ *pgx.Conn, d pgx.TraceCopyFromEndData) {
	tr.print(d)
	tr.err(d.Err)
}

func (tr *tracer) TracePrepareStart(ctx context.Context, _ *pgx.Conn, d pgx.TracePrepareStartData) context.Context {
	tr.print(d)
	return ctx
}

func (tr *tracer) TracePrepareEnd(_ context.Context, _ *pgx.Conn, d pgx.TracePrepareEndData) {
	tr.err(d.Err)
}

// leaky does things with the canary.
type leaky struct {
	t        *testing.T
	fc       *fieldcrypt.Crypter
	tr       *tracer
	db       *pgxpool.Pool
	w        *pgxcrypt.DB
	activity func()
}

// note prints an error, and what the server says that its sessions do.
func (l *leaky) note(err error) {
	l.tr.err(err)
	l.activity()
}

// works notes what must work.
func (l *leaky) works(err error) {
	l.t.Helper()
	if l.note(err); err != nil {
		l.t.Error(err)
	}
}

// fails notes what must not.
func (l *leaky) fails(err error) {
	l.t.Helper()
	if l.note(err); err == nil {
		l.t.Error("it works")
	}
}

func secretPatient(n int64) Patient {
	p := patient(n)
	notes := canary
	p.Name, p.MRN, p.Card, p.Notes, p.Contact.Phone = canary, fmt.Sprint(canary, n), "7391-7391", &notes, "7391 7391"
	return p
}

// models: Args, RowTo, Rows, Eq, CopyInto, Unnest.
func (l *leaky) models() {
	one, two, bad := secretPatient(1), secretPatient(2), secretPatient(3)
	bad.Name += "\xff"
	args := pgxcrypt.Args(l.fc, &one, pgx.NamedArgs{"more": canary + " by name"})
	unnest := pgxcrypt.Unnest(l.fc, []Patient{one})
	l.tr.print(args, unnest, l.w, []any{args}, map[string]any{"a": unnest})

	l.works(second(l.db.Exec(ctx, insertPatient, pgxcrypt.Args(l.fc, &one))))
	l.fails(second(l.db.Exec(ctx, insertPatient, pgxcrypt.Args(l.fc, &one)))) // a duplicate
	l.fails(second(l.db.Exec(ctx, insertPatient, pgxcrypt.Args(l.fc, &bad))))
	l.fails(second(l.db.Exec(ctx, insertPatient, args)))
	l.fails(second(l.db.Exec(ctx, "UPDATE patients SET ward = @mrn, born = @mrn_bidx", pgxcrypt.Args(l.fc, &one)))) // of other types
	l.works(second(pgxcrypt.CopyInto(ctx, l.db, l.fc, pgx.Identifier{"patients"}, []Patient{two})))
	l.fails(second(pgxcrypt.CopyInto(ctx, l.db, l.fc, pgx.Identifier{"patients"}, []Patient{secretPatient(4), bad})))
	l.fails(second(pgxcrypt.CopyInto(ctx, l.db, l.fc, pgx.Identifier{"patients"}, []Patient{two})))
	l.fails(second(pgxcrypt.CopyInto(ctx, l.db, l.fc, pgx.Identifier{"visits"}, []Patient{two})))
	sql := "INSERT INTO patients (id, mrn, mrn_bidx) SELECT * FROM unnest(@id::bigint[], @mrn::bytea[], @mrn_bidx::bytea[])"
	l.works(second(l.db.Exec(ctx, sql, pgxcrypt.Unnest(l.fc, []Patient{secretPatient(5)}))))
	l.fails(second(l.db.Exec(ctx, sql, unnest)))
	for _, p := range []Patient{secretPatient(6), bad, one} {
		b := &pgx.Batch{}
		b.Queue(insertPatient, pgxcrypt.Args(l.fc, &p))
		l.note(l.db.SendBatch(ctx, b).Close())
	}
	terms, err := pgxcrypt.Eq[Patient](ctx, l.fc, "name", canary)
	l.works(err)
	read := pgxcrypt.RowToStructByName[Patient](ctx, l.fc)
	found, err := query(l.db, read, "SELECT * FROM patients WHERE name_bidx = ANY($1)", terms)
	if l.works(err); len(found) != 3 || found[0].Name != canary {
		l.t.Errorf("found %d rows", len(found))
	}
	for _, v := range []any{map[string]string{canary: canary}, []string{canary}, canary + "\xff"} {
		l.fails(second(pgxcrypt.Eq[Patient](ctx, l.fc, "mrn", v)))
	}
	l.fails(second(query(l.db, read, "SELECT mrn FROM patients")))
	l.fails(second(query(l.db, pgxcrypt.RowToStructByNameLax[Patient](ctx, l.fc), "SELECT mrn AS name FROM patients")))
	l.fails(second(query(l.db, pgxcrypt.RowToStructByNameLax[Patient](ctx, l.fc), "SELECT mrn::text AS name FROM patients")))
	l.fails(second(query(l.db, pgxcrypt.RowToStructByNameLax[Patient](ctx, l.fc), "SELECT id, ward AS born FROM patients")))
}

// secrets: Wrap.
func (l *leaky) secrets() {
	mrn, bad, zero := newMRN(canary), newMRN(canary+"\xff"), MRNIndex{}
	l.tr.print(mrn, &mrn, mrn.Index(), []MRN{mrn}, sqlcRow{Mrn: mrn, MrnBidx: mrn.Index()}, []any{mrn})
	l.works(second(l.w.Exec(ctx, insertMRN, 1, mrn, zero, newNotes(canary))))
	l.fails(second(l.w.Exec(ctx, insertMRN, 2, &mrn, mrn.Index(), newNotes(canary))))
	l.fails(second(l.w.Exec(ctx, insertMRN, 2, bad, zero, nil)))
	l.fails(second(l.w.Exec(ctx, "UPDATE patients SET born = $1, ward = $2", mrn, zero)))
	l.fails(second(l.w.Exec(ctx, "UPDATE patients SET mrn = @mrn", pgx.NamedArgs{"mrn": mrn})))
	l.works(second(l.w.Exec(ctx, "UPDATE patients SET mrn = @mrn, mrn_bidx = @bidx", pgx.NamedArgs{"mrn": mrn, "bidx": zero})))
	columns := []string{"id", "mrn", "mrn_bidx"}
	l.works(second(l.w.CopyFrom(ctx, pgx.Identifier{"patients"}, columns, pgx.CopyFromRows([][]any{{3, newMRN(canary + "3"), zero}}))))
	l.fails(second(l.w.CopyFrom(ctx, pgx.Identifier{"patients"}, columns, pgx.CopyFromRows([][]any{{4, newMRN(canary + "4"), zero}, {5, bad, zero}}))))
	l.fails(second(l.w.CopyFrom(ctx, pgx.Identifier{"patients"}, []string{"id", "born", "mrn_bidx"}, pgx.CopyFromRows([][]any{{4, mrn, zero}}))))
	for _, v := range []MRN{newMRN(canary + "6"), bad, mrn} {
		b := &pgx.Batch{}
		b.Queue(insertMRN, 6, v, zero, newNotes(canary))
		l.note(l.w.SendBatch(ctx, b).Close())
	}
	terms, err := l.fc.SecretTerms(ctx, mrn)
	l.works(err)
	var back MRN
	l.works(l.w.QueryRow(ctx, "SELECT mrn FROM patients WHERE mrn_bidx = ANY($1)", terms).Scan(&back))
	if back.MustReveal() != canary {
		l.t.Error("another value is found")
	}
	l.fails(l.w.QueryRow(ctx, "SELECT notes FROM patients").Scan(&back))
	l.fails(second(l.fc.SecretTerms(ctx, bad)))
	// A transaction that nobody wrapped.
	l.note(pgx.BeginFunc(ctx, l.db, func(tx pgx.Tx) error {
		return second(tx.Exec(ctx, insertMRN, 7, bad, bad.Index(), nil))
	}))
}

// codec: the same without Wrap; registered or not, nothing may come out.
func (l *leaky) codec(registered bool) {
	mrn, bad := newMRN(canary), newMRN(canary+"\xff")
	tell := l.fails
	if registered {
		tell = l.works
	}
	tell(second(l.db.Exec(ctx, insertMRN, 1, mrn, mrn.Index(), newNotes(canary))))
	l.fails(second(l.db.Exec(ctx, insertMRN, 2, bad, bad.Index(), nil)))
	l.fails(second(l.db.Exec(ctx, insertMRN, 2, mrn, MRNIndex{}, nil)))
	l.fails(second(l.db.Exec(ctx, "UPDATE patients SET born = $1", mrn)))
	l.fails(second(l.db.Exec(ctx, "SELECT $1::int", mrn)))
	tell(second(l.db.CopyFrom(ctx, pgx.Identifier{"patients"}, []string{"id", "notes"}, pgx.CopyFromRows([][]any{{3, newNotes(canary)}}))))
	for _, v := range []any{bad, &bad, bad.Index(), MRNIndex{}, []MRN{bad}} { // CopyFail
		l.fails(second(l.db.CopyFrom(ctx, pgx.Identifier{"patients"}, []string{"id", "mrn"}, pgx.CopyFromRows([][]any{{4, mrn}, {5, v}}))))
	}
	b := &pgx.Batch{}
	b.Queue(insertMRN, 6, bad, bad.Index(), nil)
	l.fails(l.db.SendBatch(ctx, b).Close())
	var back MRN
	l.fails(l.db.QueryRow(ctx, "SELECT $1::int", 1).Scan(&back))
}

// TestNothingLeaks: after everything, and everything that fails, the canary is in
// no tracer, log or error, nor anywhere on the server.
func TestNothingLeaks(t *testing.T) {
	server := pgtest.Start(t, pgtest.Options{Settings: map[string]string{
		"log_statement": "all", "log_parameter_max_length": "-1", "log_parameter_max_length_on_error": "-1",
		"log_min_duration_statement": "0", "log_error_verbosity": "verbose", "log_min_messages": "info",
	}})
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			l, tr := &log{}, &tracer{}
			url := server.DB(t)
			plain := pool(t, url)
			fc := openPractice(t, plain)
			mode := func(cfg *pgxpool.Config) {
				cfg.ConnConfig.DefaultQueryExecMode = mode
				cfg.ConnConfig.Tracer = multitracer.New(tr, &tracelog.TraceLog{Logger: l, LogLevel: tracelog.LogLevelTrace})
			}
			db := pool(t, url, mode)
			codec := pool(t, url, mode, func(cfg *pgxpool.Config) { cfg.AfterConnect = pgxcrypt.AfterConnect(fc) })
			activity := func() {
				for _, q := range collect(t, plain, pgx.RowTo[string], "SELECT coalesce(query, '') FROM pg_stat_activity") {
					tr.print(q)
				}
			}
			for _, conn := range []*pgxpool.Pool{db, codec} {
				run := &leaky{t, fc, tr, conn, pgxcrypt.Wrap(conn, fc), activity}
				for _, part := range []func(){run.models, run.secrets, func() { run.codec(conn == codec) }} {
					part()
					exec(t, plain, "TRUNCATE patients, visits")
				}
			}
			noCanary(t, "the tracer", tr.out.Bytes())
			noCanary(t, "tracelog", []byte(l.String()))
			if n := strings.Count(tr.out.String(), "<encrypted>"); n < 20 {
				t.Errorf("the tracer has printed %d values", n)
			}
		})
	}
	text := server.Log(t)
	noCanary(t, "the server's log", []byte(text))
	for _, want := range []string{"INSERT INTO patients", "copy", "COPY from stdin failed", "violates"} {
		if !strings.Contains(text, want) {
			t.Errorf("the server's log has no %q", want)
		}
	}
}
