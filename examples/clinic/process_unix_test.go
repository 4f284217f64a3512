//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fieldcrypt/go/internal/pgtest"
)

// asMain makes the test binary run main.
const asMain = "FIELDCRYPT_CLINIC_AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
	}
	os.Exit(m.Run())
}

// process is a service in a process of its own.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	addr   string
	rest   chan string // of stdout, when it has ended
	stderr *bytes.Buffer
}

func command(args ...string) (cmd *exec.Cmd, stderr *bytes.Buffer) {
	cmd, stderr = exec.Command(os.Args[0], args...), new(bytes.Buffer)
	for _, entry := range os.Environ() {
		switch name, _, _ := strings.Cut(entry, "="); name {
		case "DATABASE_URL", "MEDICAL_KEY", "FINANCE_KEY", "FIELDCRYPT_ENV":
		default:
			cmd.Env = append(cmd.Env, entry)
		}
	}
	cmd.Env, cmd.Stderr = append(cmd.Env, asMain+"=1"), stderr
	return cmd, stderr
}

// launch starts a service and waits until it listens.
func launch(t *testing.T, args ...string) *process {
	t.Helper()
	cmd, stderr := command(append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	p := &process{t: t, cmd: cmd, stderr: stderr, rest: make(chan string, 1)}
	lines := bufio.NewReader(stdout)
	for p.addr == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			cmd.Wait()
			t.Fatalf("it does not listen: %v: %s", err, stderr)
		}
		var l struct{ Msg, URL string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if l.Msg == "listening" {
			p.addr = strings.TrimPrefix(l.URL, "http://")
		}
	}
	go func() {
		rest, _ := io.ReadAll(lines)
		p.rest <- string(rest)
	}()
	return p
}

// end waits for the end, and returns the exit code and what was logged.
func (p *process) end() (code int, log string) {
	p.t.Helper()
	log = <-p.rest
	return exitCode(p.t, p.cmd.Wait()), log
}

func exitCode(t *testing.T, err error) int {
	t.Helper()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0
}

// upload is a POST whose handler waits for the body.
type upload struct {
	net.Conn
	*bufio.Reader
}

// begin sends a POST up to its body. The server asks for the body when the
// handler reads it, so that the request is known to run.
func (p *process) begin(length int) upload {
	p.t.Helper()
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "POST /patients HTTP/1.1\r\nHost: clinic\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", length)
	u := upload{conn, bufio.NewReader(conn)}
	resp, err := http.ReadResponse(u.Reader, nil)
	if err != nil || resp.StatusCode != http.StatusContinue {
		p.t.Fatalf("the server does not ask for the body: %v %v", resp, err)
	}
	return u
}

// closed waits until nobody listens any more.
func (p *process) closed() {
	for {
		conn, err := net.Dial("tcp", p.addr)
		if errors.Is(err, syscall.ECONNREFUSED) {
			return
		}
		if err == nil {
			conn.Close()
		}
	}
}

func TestSignalWaitsForRunningRequests(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		for name, database := range map[string]func() string{
			"SQLite": func() string { return "" }, "Postgres": func() string { return pgtest.DB(t) },
		} {
			t.Run(fmt.Sprint(signal, " ", name), func(t *testing.T) {
				flags := []string{"-data", t.TempDir(), "-database", database()}
				p := launch(t, flags...)
				running := p.begin(len(numbered(1)))
				if err := p.cmd.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				p.closed()
				if _, err := io.WriteString(running, numbered(1)); err != nil {
					t.Fatal(err)
				}
				resp, err := http.ReadResponse(running.Reader, nil)
				if err != nil {
					t.Fatal(err)
				}
				if resp.StatusCode != http.StatusCreated {
					t.Errorf("the request that was running: status %d", resp.StatusCode)
				}
				code, log := p.end()
				if code != 0 || p.stderr.Len() > 0 || len(logged(t, log, "stopped")) != 1 {
					t.Errorf("exit code %d, stderr %q, log %s", code, p.stderr, log)
				}
				checkNoPlaintext(t, "the log", []byte(log))

				// Another process, with the same database and key file, finds the patient.
				p = launch(t, flags...)
				found, err := send(t.Context(), "GET", "http://"+p.addr+"/patients?mrn=CANARY-1", "")
				if err != nil || len(mrns(t, found.body)) != 1 {
					t.Errorf("after the second start: %v %s", err, found.body)
				}
				if err := p.cmd.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				if code, log := p.end(); code != 0 {
					t.Errorf("exit code %d, stderr %q, log %s", code, p.stderr, log)
				}
			})
		}
	}
}

func TestRequestThatDoesNotEndIsCutOff(t *testing.T) {
	p := launch(t, "-data", t.TempDir(), "-drain-timeout", "50ms")
	p.begin(100)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code, log := p.end(); code != 1 || !strings.Contains(p.stderr.String(), "requests were still running after 50ms") {
		t.Errorf("exit code %d, stderr %q, log %s", code, p.stderr, log)
	}
}

func TestSecondSignalDoesNotWait(t *testing.T) {
	p := launch(t, "-data", t.TempDir(), "-drain-timeout", "1h")
	p.begin(100)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.closed() // the first signal was seen
	for ended := false; !ended; {
		// It may come before the program stopped to listen for it: then another does.
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		select {
		case <-p.rest:
			ended = true
		case <-time.After(20 * time.Millisecond):
		}
	}
	err := p.cmd.Wait()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("ended by %v, want SIGTERM", err)
	}
}

func TestExitCodes(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close() // nothing listens there now
	other := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want int
		text string
	}{
		"help":              {[]string{"-h"}, 0, ""},
		"wrong flag":        {[]string{"-x"}, 2, "Usage:"},
		"port in use":       {[]string{"-addr", busy.Addr().String()}, 1, "address already in use; -addr chooses another"},
		"no database there": {[]string{"-database", "postgres://u:geheim@" + closed.Addr().String() + "/x?sslmode=disable"}, 1, "connection refused"},
		"no folder":         {[]string{"-data", other}, 1, "-data"},
		"no KMS key":        {[]string{"-medical-key", "a b", "-finance-key", "c"}, 1, "is not a key id"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd, stderr := command(append([]string{"-data", t.TempDir()}, c.args...)...)
			if code := exitCode(t, cmd.Run()); code != c.want || !strings.Contains(stderr.String(), c.text) {
				t.Errorf("exit code %d, want %d: %s", code, c.want, stderr)
			}
			if strings.Contains(stderr.String(), "geheim") {
				t.Errorf("the password is in the error: %s", stderr)
			}
		})
	}
}

// A Postgres that accepts the connection and then says nothing holds the program
// where Ctrl-C can reach it.
func TestCtrlCWhileStarting(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	cmd, stderr := command("-data", t.TempDir(), "-database", "postgres://nobody@"+silent.Addr().String()+"/none?sslmode=disable")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	conn, err := silent.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(t, cmd.Wait()); code != 130 || !strings.Contains(stderr.String(), "interrupted while starting") {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
}
