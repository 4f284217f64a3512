package awskmstest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"regexp"
	"sync"
	"testing"
	"time"
)

// Config says what a [Server] is. The zero Config is a good one.
type Config struct {
	// Addr is where to listen. Defaults to "127.0.0.1:0", a free port.
	Addr string
	// Region is the AWS region that the server plays; requests must be signed
	// for it. Defaults to "us-east-1".
	Region string
	// AccountID is the account of all keys, twelve digits. Defaults to
	// "111122223333".
	AccountID string
	// Now is the clock of keys: creation and deletion dates, and the end of the
	// waiting time of a deletion. It is called from several goroutines. Defaults
	// to [time.Now]. Signatures are always checked against the time of the
	// machine, because that is what SDKs sign.
	Now func() time.Time
}

// Server is a running KMS. All methods are safe for concurrent use. It prints
// as its URL in every formatter.
type Server struct {
	*account  // with the lock over all that follows mu there and here
	region    string
	now       func() time.Time
	url       string
	listener  *listener
	http      *http.Server
	transport *http.Transport // of the clients that Client hands out
	done      chan struct{}   // closed by Close
	closeOnce sync.Once
	served    sync.WaitGroup

	// What mu guards.
	keys    map[string]*key   // by key id
	aliases map[string]*alias // by name, "alias/..." included
	grants  grants
	calls   []Call
	faults  faults
}

var (
	regionPattern  = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)
	accountPattern = regexp.MustCompile(`^[0-9]{12}$`)
)

// Start runs a server until the test and its subtests are over.
func Start(t testing.TB) *Server {
	t.Helper()
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// New runs a server until Close.
func New(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return newServer(cfg, newAccount(cfg.AccountID))
}

func (cfg Config) withDefaults() Config {
	cfg.Addr = orDefault(cfg.Addr, "127.0.0.1:0")
	cfg.Region = orDefault(cfg.Region, "us-east-1")
	cfg.AccountID = orDefault(cfg.AccountID, "111122223333")
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return cfg
}

func (cfg Config) check() error {
	if !regionPattern.MatchString(cfg.Region) {
		return fmt.Errorf("awskmstest: Config.Region %q is not the name of a region, such as eu-west-1", cfg.Region)
	}
	if !accountPattern.MatchString(cfg.AccountID) {
		return fmt.Errorf("awskmstest: Config.AccountID %q is not twelve digits", cfg.AccountID)
	}
	return nil
}

func newServer(cfg Config, a *account) (*Server, error) {
	inner, err := net.Listen("tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("awskmstest: %w", err)
	}
	s := &Server{
		account:   a,
		region:    cfg.Region,
		now:       cfg.Now,
		url:       "http://" + inner.Addr().String(),
		listener:  &listener{Listener: inner, conns: map[*conn]struct{}{}},
		transport: &http.Transport{MaxIdleConnsPerHost: 64},
		done:      make(chan struct{}),
		keys:      map[string]*key{},
		aliases:   map[string]*alias{},
		grants:    newGrants(),
	}
	s.register()
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	s.served.Go(func() { _ = s.http.Serve(s.listener) })
	return s, nil
}

// Close stops the server at once: what is being answered, or hangs, is cut off.
// A second Close does nothing.
func (s *Server) Close() {
	s.closeOnce.Do(func() {
		close(s.done)
		_ = s.http.Close()
		s.served.Wait()
		s.transport.CloseIdleConnections()
	})
}

// URL is the endpoint of the server: "http://127.0.0.1:" and a port.
func (s *Server) URL() string { return s.url }

// Region is the region that the server plays.
func (s *Server) Region() string { return s.region }

// arn makes an ARN of the server's account. IAM knows no regions, and here STS does not either.
func (s *Server) arn(service, resource string) string {
	region := s.region
	if service == "iam" || service == "sts" {
		region = ""
	}
	return "arn:" + partitionOf(s.region) + ":" + service + ":" + region + ":" + s.account.id + ":" + resource
}

// randomID returns 32 random hex digits.
func randomID() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// randomUUID returns a random UUID, version 4.
func randomUUID() string {
	b := make([]byte, 16)
	rand.Read(b)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
