package fieldcrypttest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/fieldcrypt/go/internal/pgtest"
)

// server is a Postgres on which environments make their databases.
type server struct {
	what      string                         // for people
	url       string                         // of a database from which others are made
	log       func(from int) ([]byte, error) // what was logged from a byte on; nil: out of reach
	container string                         // its id, or ""
}

// source is where a server comes from. One field is set.
type source struct{ url, image, bin string }

// servers are those of this process, which live as long as it does. They are
// shared because a server costs a second and a database some milliseconds.
var servers struct {
	sync.Mutex
	started map[source]func() (*server, error)
}

// serverFor returns the server for a wanted image, started now if need be.
func serverFor(t testing.TB, image string) *server {
	t.Helper()
	src, err := choose(image)
	if err != nil {
		t.Fatalf("fieldcrypttest: %v", err)
	}
	servers.Lock()
	start, ok := servers.started[src]
	if !ok {
		if servers.started == nil {
			servers.started = map[source]func() (*server, error){}
		}
		start = sync.OnceValues(src.start)
		servers.started[src] = start
	}
	servers.Unlock()
	s, err := start()
	if err != nil {
		t.Fatalf("fieldcrypttest: %v", err)
	}
	if !ok {
		t.Logf("fieldcrypttest: using %s", s.what)
	}
	return s
}

// choose finds the source of a server, as the package's documentation says.
func choose(image string) (source, error) {
	url, forced, bin := os.Getenv(EnvURL), os.Getenv(EnvImage), os.Getenv(EnvBin)
	image = cmp.Or(forced, image, DefaultImage)
	switch {
	case url != "":
		return source{url: url}, nil
	case forced == "" && bin != "":
		return source{bin: bin}, nil
	}
	_, err := engine()
	switch {
	case err == nil:
		return source{image: image}, nil
	case forced != "":
		return source{}, fmt.Errorf("%s names an image, but there is no container engine: %w", EnvImage, err)
	case !pgtest.Available():
		return source{}, fmt.Errorf("no Postgres to test on: start a container engine (%w), install Postgres, or set %s or %s", err, EnvURL, EnvBin)
	}
	return source{bin: "installed"}, nil
}

func (s source) start() (*server, error) {
	switch {
	case s.url != "":
		return &server{what: "the server in " + EnvURL, url: s.url}, nil
	case s.image != "":
		return startContainer(context.Background(), s.image)
	}
	local, err := pgtest.Open(pgtest.Options{Settings: logSettings, InMemory: true})
	if err != nil {
		return nil, err
	}
	return &server{what: "local binaries, " + local.Version(), url: local.URL(), log: local.ReadLog}, nil
}

// logSettings make a server log all that it is told, and in whose database.
var logSettings = map[string]string{
	"log_line_prefix":                   "[%d] ",
	"log_statement":                     "all",
	"log_parameter_max_length":          "-1",
	"log_parameter_max_length_on_error": "-1",
	"log_min_messages":                  "info",
}

// errEngine is why there is no container engine.
var errEngine = errors.New("no container engine answers")
