package gorm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// log keeps what leaves a DB by its logger and by a tracer.
type log struct {
	sql   text // of GORM's logger at level Info, values filled in
	slog  text // of its slog form
	spans text // of a tracer
}

// logger logs in both forms that GORM has.
func (l *log) logger() logger.Interface {
	cfg := logger.Config{LogLevel: logger.Info, SlowThreshold: time.Hour}
	lines := slog.New(slog.NewTextHandler(&l.slog, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return both{logger.New(&l.sql, cfg), logger.NewSlogLogger(lines, cfg)}
}

// trace registers what an OpenTelemetry plugin does: behind each kind of
// statement it renders the text, with and without its values.
func (l *log) trace(db *gorm.DB) error {
	const name = "tracer"
	cb := db.Callback()
	return errors.Join(
		cb.Create().After("gorm:create").Register(name, l.render),
		cb.Query().After("gorm:query").Register(name, l.render),
		cb.Update().After("gorm:update").Register(name, l.render),
		cb.Delete().After("gorm:delete").Register(name, l.render),
		cb.Row().After("gorm:row").Register(name, l.render),
		cb.Raw().After("gorm:raw").Register(name, l.render),
	)
}

// render writes a statement down in every way that a tracer might.
func (l *log) render(db *gorm.DB) {
	s := db.Statement
	query := s.SQL.String()
	l.spans.Printf("%s %v %+v %#v", query, s.Vars, s.Vars, s.Vars)
	for _, v := range s.Vars {
		l.spans.Printf("%v %+v %#v %s %q", v, v, v, v, v)
	}
	l.spans.Printf("%s", db.Dialector.Explain(query, s.Vars...))
	l.spans.Printf("%v %+v %#v", db.Error, db.Error, db.Error)
}

// String is what the logger wrote.
func (l *log) String() string { return l.sql.String() }

// all is everything that was heard.
func (l *log) all() string { return l.sql.String() + l.slog.String() + l.spans.String() }

func (l *log) reset() {
	l.sql.reset()
	l.slog.reset()
	l.spans.reset()
}

// text is a buffer for many writers.
type text struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Printf implements logger.Writer.
func (t *text) Printf(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }

// Write implements io.Writer.
func (t *text) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.Write(b)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}

func (t *text) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Reset()
}

// both are two loggers.
type both [2]logger.Interface

func (b both) LogMode(level logger.LogLevel) logger.Interface {
	return both{b[0].LogMode(level), b[1].LogMode(level)}
}

func (b both) Info(ctx context.Context, format string, args ...any) {
	b[0].Info(ctx, format, args...)
	b[1].Info(ctx, format, args...)
}

func (b both) Warn(ctx context.Context, format string, args ...any) {
	b[0].Warn(ctx, format, args...)
	b[1].Warn(ctx, format, args...)
}

func (b both) Error(ctx context.Context, format string, args ...any) {
	b[0].Error(ctx, format, args...)
	b[1].Error(ctx, format, args...)
}

func (b both) Trace(ctx context.Context, begin time.Time, fc func() (string, int64), err error) {
	b[0].Trace(ctx, begin, fc, err)
	b[1].Trace(ctx, begin, fc, err)
}
