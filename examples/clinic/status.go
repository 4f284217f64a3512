package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// retryAfter is when a client may try again, in seconds.
const retryAfter = "5"

// statusClientGone stands in the log where nobody waited for the answer.
const statusClientGone = 499

// answer is what an error becomes: a status, and a text without values or
// anything else of the inside.
type answer struct {
	status int
	text   string
	retry  bool
	level  slog.Level
}

// answerTo knows the errors by their sentinels. Everything else is a 500.
func answerTo(err error) answer {
	is := func(target error) bool { return errors.Is(err, target) }
	bad := badRequest{}
	switch {
	case errors.As(err, &bad):
		return answer{status: bad.status, text: bad.text}
	case is(errNotFound):
		return answer{status: http.StatusNotFound, text: errNotFound.Error()}
	case is(errDuplicate):
		return answer{status: http.StatusConflict, text: errDuplicate.Error()}
	case is(errChanged):
		return answer{status: http.StatusConflict, text: errChanged.Error()}

	// What ciphertext cannot answer: the text names the column, never the value.
	case is(fieldcrypt.ErrQueryOnCiphertext), is(fieldcrypt.ErrUnsearchable):
		column := "a column"
		if e := (*fieldcrypt.Error)(nil); errors.As(err, &e) && e.Column != "" {
			column = e.Column
		}
		return answer{status: http.StatusBadRequest, text: column + " is encrypted: the database cannot search or sort by it in this way"}

	// What may pass by itself.
	case is(fieldcrypt.ErrKMSUnavailable):
		return answer{http.StatusServiceUnavailable, "the key service does not answer", true, slog.LevelWarn}
	case is(context.DeadlineExceeded):
		return answer{http.StatusServiceUnavailable, "it took too long", true, slog.LevelWarn}
	case databaseGone(err):
		return answer{http.StatusServiceUnavailable, "the database does not answer", true, slog.LevelWarn}
	case is(context.Canceled):
		return answer{status: statusClientGone, text: "nobody waits for the answer"}

	// What somebody has done: to the KMS key, or to a row.
	case is(fieldcrypt.ErrKMSDenied), is(fieldcrypt.ErrKEKNotAllowed):
		return answer{status: http.StatusServiceUnavailable, text: "the key service refuses", level: slog.LevelError}
	case is(fieldcrypt.ErrAuthentication), is(fieldcrypt.ErrNotSealed), is(fieldcrypt.ErrUnknownKey):
		return answer{status: http.StatusInternalServerError, text: "what is stored cannot be read", level: slog.LevelError}
	}
	return answer{status: http.StatusInternalServerError, text: "internal error", level: slog.LevelError}
}

// handle makes a handler of a function that may fail.
func (s *server) handle(do func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := do(w, r)
		if err == nil {
			return
		}
		if over := r.Context().Err(); over != nil {
			err = errors.Join(err, over) // the driver of SQLite says "interrupted"
		}
		a := answerTo(err)
		s.log.Log(r.Context(), a.level, "request failed", "status", a.status, "error", err)
		if a.retry {
			w.Header().Set("Retry-After", retryAfter)
		}
		_ = writeJSON(w, a.status, map[string]string{"error": a.text})
	})
}

// writeJSON fails where the client is gone: that is no error of the request's.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v)
	return nil
}
