//go:build unix

package pgtest

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

//go:embed watch.sh
var watchScript string

// settings trade durability, of which these servers need none, for speed, and
// keep everything inside the server's folder (dynamic_shared_memory_type).
var settings = []string{
	"listen_addresses=",
	"port=5432",
	"unix_socket_permissions=0700",
	"fsync=off",
	"synchronous_commit=off",
	"full_page_writes=off",
	"shared_buffers=32MB",
	"dynamic_shared_memory_type=mmap",
	"timezone=UTC",
}

// local is a server that this process started. Its watching shell lives for as
// long as alive is open: a local must stay reachable, for a garbage collected
// file is closed.
type local struct {
	dir     string
	version string
	alive   *os.File // write end of the pipe that the shell reads
	shell   *exec.Cmd
	gone    chan struct{} // closed when the server has ended
	stopped atomic.Bool
}

// launch starts a server and waits until it answers.
func launch(o Options) (*local, error) {
	bin, err := findBinaries()
	if err != nil {
		return nil, err
	}
	h, err := openHome()
	if err != nil {
		return nil, err
	}
	template, err := h.prepare(bin)
	if err != nil {
		return nil, err
	}
	if o.InMemory {
		if m := openMemory(); m != nil {
			h = m
		}
	}
	dir, lock, err := h.place()
	if err != nil {
		return nil, err
	}
	defer lock.Close() // the shell has its own copy
	args := []string{"-c", watchScript, "watch.sh", bin.dir, template, dir, "-c", "unix_socket_directories=" + dir}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	if o.InMemory {
		args = append(args, "-c", "min_wal_size=32MB", "-c", "max_wal_size=64MB")
	}
	for name, value := range o.Settings {
		args = append(args, "-c", name+"="+value)
	}
	l := &local{dir: dir, version: bin.version, shell: h.command("/bin/sh", args...), gone: make(chan struct{})}
	if err := l.run(lock); err != nil {
		return nil, err
	}
	if err := l.await(bin); err != nil {
		l.stop()
		return nil, err
	}
	return l, nil
}

// run starts the shell. Nothing that it inherits may be the test's own stdout or
// stderr: go test waits for their end.
func (l *local) run(lock *os.File) error {
	watched, alive, err := os.Pipe()
	if err != nil {
		return err
	}
	defer watched.Close()
	output, stdout, err := os.Pipe()
	if err != nil {
		alive.Close()
		return err
	}
	defer stdout.Close()
	l.shell.Stdout = stdout
	l.shell.ExtraFiles = []*os.File{watched, lock} // descriptors 3 and 4
	if err := l.shell.Start(); err != nil {
		alive.Close()
		output.Close()
		return err
	}
	l.alive = alive
	go func() {
		defer close(l.gone)
		defer output.Close()
		io.Copy(io.Discard, output)
	}()
	return nil
}

// await returns when the server answers, has ended or is too late.
func (l *local) await(bin binaries) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, l.url())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-l.gone:
			err = errors.New("it ended")
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
			continue
		}
		text, _ := l.log(0)
		return fmt.Errorf("%s (%s) did not start: %w\n%s", bin.version, bin.dir, err, text)
	}
}

func (l *local) url() string {
	u := url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/postgres"}
	u.RawQuery = url.Values{"host": {l.dir}, "port": {"5432"}, "sslmode": {"disable"}}.Encode()
	return u.String()
}

// stop returns when the shell has stopped the server and removed its folder.
func (l *local) stop() {
	if !l.stopped.Swap(true) {
		l.alive.Close()
		l.shell.Wait()
	}
}

func (l *local) running() bool { return !l.stopped.Load() }

func (l *local) log(from int) ([]byte, error) {
	f, err := os.Open(filepath.Join(l.dir, "log"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Seek(int64(from), io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(f)
}

func socketPath(dir string) string { return filepath.Join(dir, ".s.PGSQL.5432") }

// newID names a server's folder: short, for the socket's sake.
func newID() string { return strings.ToLower(rand.Text()[:8]) }
