package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/fieldcrypt/go/fieldcrypt"
	"github.com/fieldcrypt/go/keymgr"
)

// maxBody bounds the body of a request, in bytes.
const maxBody = 64 << 10

// server answers requests.
type server struct {
	store   store
	ready   func(context.Context) error
	log     *slog.Logger
	timeout time.Duration // of a request
}

// newHandler is the service once it has a database and keys.
func newHandler(ctx context.Context, cfg config, db *database, keys *keymgr.Manager, log *slog.Logger) (http.Handler, error) {
	fc := fieldcrypt.New(keys, fieldcrypt.Config{})
	g, err := openGORM(db, fc, log)
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, g, db.lock); err != nil {
		return nil, err
	}
	s := &server{
		store: store{g},
		ready: func(ctx context.Context) error {
			if err := db.sql.PingContext(ctx); err != nil {
				return fmt.Errorf("%w: %w", fieldcrypt.ErrStoreUnavailable, err)
			}
			return fc.Warm(ctx, "medical", "finance")
		},
		log:     log,
		timeout: cfg.requestTimeout,
	}
	return s.handler(), nil
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /patients", s.handle(s.createPatient))
	mux.Handle("GET /patients", s.handle(s.listPatients))
	mux.Handle("GET /patients/{id}", s.handle(s.getPatient))
	mux.Handle("PATCH /patients/{id}", s.handle(s.updatePatient))
	mux.Handle("DELETE /patients/{id}", s.handle(s.deletePatient))
	mux.Handle("GET /healthz", s.handle(s.health))
	return s.around(mux)
}

// serve answers requests until ctx ends, and then waits for those that are
// running.
func serve(ctx context.Context, ln net.Listener, h http.Handler, cfg config, log *slog.Logger) error {
	// The end of ctx must not end the requests.
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	srv := &http.Server{
		Handler:           h,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30*time.Second + cfg.requestTimeout,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	log.Info("stopping: waiting for the requests that are running")
	drain, end := context.WithTimeout(requests, cfg.drainTimeout)
	defer end()
	if err := srv.Shutdown(drain); err != nil {
		cancel() // what they ask of the database ends
		return errors.Join(fmt.Errorf("requests were still running after %v", cfg.drainTimeout), srv.Close())
	}
	log.Info("stopped")
	return nil
}
