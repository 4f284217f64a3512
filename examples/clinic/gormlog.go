package main

import (
	"context"
	"log/slog"
	"time"

	"gorm.io/gorm/logger"
)

// gormLog is GORM's log in ours: slow statements, and at the level debug all of
// them. It leaves out the values; those of encrypted fields print as <binary>
// even where they are left in.
type gormLog struct{ logger.Interface }

func newGORMLog(log *slog.Logger) gormLog {
	level := logger.Warn
	if log.Enabled(context.Background(), slog.LevelDebug) {
		level = logger.Info
	}
	return gormLog{logger.NewSlogLogger(log, logger.Config{LogLevel: level, SlowThreshold: 200 * time.Millisecond})}
}

// Trace implements logger.Interface. GORM logs every failed statement as an
// error, be it a duplicate MRN; who asked for it knows better, and logs it.
func (l gormLog) Trace(ctx context.Context, began time.Time, statement func() (string, int64), _ error) {
	l.Interface.Trace(ctx, began, statement, nil)
}

// LogMode implements logger.Interface.
func (l gormLog) LogMode(level logger.LogLevel) logger.Interface {
	return gormLog{l.Interface.LogMode(level)}
}

// ParamsFilter implements gorm.ParamsFilter.
func (gormLog) ParamsFilter(_ context.Context, sql string, _ ...any) (string, []any) { return sql, nil }
