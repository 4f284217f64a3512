package main

import (
	"context"
	"io"
	"log/slog"
)

// newLogger logs JSON, a line for each event, with the id of the request that it
// belongs to.
func newLogger(w io.Writer, level slog.Level) *slog.Logger {
	return slog.New(withRequestID{slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})})
}

// requestIDKey is the key of a context.
type requestIDKey struct{}

// withRequestID adds the request's id to what is logged with its context.
type withRequestID struct{ slog.Handler }

// Handle implements slog.Handler.
func (h withRequestID) Handle(ctx context.Context, r slog.Record) error {
	if id, ok := ctx.Value(requestIDKey{}).(string); ok {
		r.AddAttrs(slog.String("request", id))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h withRequestID) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withRequestID{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h withRequestID) WithGroup(name string) slog.Handler {
	return withRequestID{h.Handler.WithGroup(name)}
}
