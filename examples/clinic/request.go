package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
)

// around gives every request a deadline, an id, a bound on its body and a line in
// the log.
func (s *server) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		id := rand.Text()[:12]
		ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), requestIDKey{}, id), s.timeout)
		defer cancel()
		r = r.WithContext(ctx)
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		w.Header().Set("X-Request-Id", id)
		seen := &seenWriter{ResponseWriter: w}
		defer func() {
			s.recovered(seen, r, recover())
			s.log.LogAttrs(ctx, slog.LevelInfo, "request",
				slog.String("method", method(r)),
				slog.String("route", r.Pattern), // not the path or the query: there may be an MRN in them
				slog.Int("status", seen.status),
				slog.Int("bytes", seen.bytes),
				slog.Float64("ms", float64(time.Since(began).Microseconds())/1000))
		}()
		next.ServeHTTP(seen, r)
	})
}

// recovered answers a request whose handler panicked. The log gets the type of
// the panic and where it was: its text may quote a value.
func (s *server) recovered(w *seenWriter, r *http.Request, panicked any) {
	if panicked == nil {
		return
	}
	s.log.ErrorContext(r.Context(), "panic", "type", fmt.Sprintf("%T", panicked), "stack", string(debug.Stack()))
	if w.status == 0 {
		_ = writeJSON(w, http.StatusInternalServerError, map[string]string{"error": "internal error"})
	}
}

// method is for the log: a client may call its own anything.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return "other"
}

// seenWriter remembers what was answered.
type seenWriter struct {
	http.ResponseWriter
	status, bytes int
}

// WriteHeader implements http.ResponseWriter.
func (w *seenWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *seenWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += n
	return n, err
}

// Unwrap serves http.ResponseController.
func (w *seenWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
