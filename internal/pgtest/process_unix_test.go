//go:build unix

package pgtest

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// child is this test binary, run again as a process that uses pgtest.
type child struct {
	cmd    *exec.Cmd
	stdin  *os.File
	url    string
	shell  int      // process id of the watching shell
	folder *os.File // of the child's server
}

const childRole = "PGTEST_CHILD"

// TestMain turns the process into a child where that is asked for.
func TestMain(m *testing.M) {
	if os.Getenv(childRole) == "without postgres" {
		folders = nil
	}
	os.Exit(m.Run())
}

// TestChild is what a child runs: it starts the shared server, says where that
// is, and ends when its stdin does.
func TestChild(t *testing.T) {
	if os.Getenv(childRole) == "" {
		t.Skip("only as a child of the other tests")
	}
	url := DB(t)
	s, _ := shared()
	fmt.Printf("server %s %d %s\n", url, s.local.shell.Process.Pid, s.local.dir)
	bufio.NewReader(os.Stdin).ReadString('\n')
}

func childCommand(t *testing.T, role string, env ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestChild$", "-test.v")
	cmd.Env = append(os.Environ(), childRole+"="+role, EnvURL+"=")
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

func needBinaries(t *testing.T) {
	t.Helper()
	if _, err := findBinaries(); err != nil {
		unavailable(t, err)
	}
}

// startChild returns when the child's server runs.
func startChild(t *testing.T, tmp string) *child {
	t.Helper()
	needBinaries(t)
	c := &child{cmd: childCommand(t, "with postgres", "TMPDIR="+tmp)}
	stdin, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.cmd.Stdin, c.stdin = stdin, write
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.cmd.Stderr = os.Stderr
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stdin.Close()
	t.Cleanup(func() {
		write.Close()
		c.cmd.Process.Kill()
		c.cmd.Wait()
	})
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) == 4 && f[0] == "server" {
			c.url = f[1]
			c.shell, _ = strconv.Atoi(f[2])
			if c.folder, err = os.Open(f[3]); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { c.folder.Close() })
			return c
		}
		t.Log(lines.Text())
	}
	t.Fatal("the child ended before its server ran")
	return nil
}

// awaitShell returns when the watching shell has ended: it holds the lock.
func (c *child) awaitShell(t *testing.T) {
	t.Helper()
	if err := flock(c.folder, syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
}

// tempDir is an empty folder with a short path that every account can reach.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "pgt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (c *child) assertNothingLeft(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(c.folder.Name()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the server's folder is still there: %v", err)
	}
	if _, err := pgx.Connect(t.Context(), c.url); err == nil {
		t.Error("the server still answers")
	}
}

func TestProcessThatEndsLeavesNothing(t *testing.T) {
	c := startChild(t, os.TempDir())
	c.stdin.Close()
	if err := c.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	c.awaitShell(t)
	c.assertNothingLeft(t)
}

func TestKilledProcessLeavesNothing(t *testing.T) {
	c := startChild(t, os.TempDir())
	conn := connect(t, c.url)
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	c.awaitShell(t)
	c.assertNothingLeft(t)
	if err := conn.Ping(t.Context()); err == nil {
		t.Error("a connection from elsewhere is still served")
	}
}

func TestWhatAKilledShellLeavesIsSweptByTheNextProcess(t *testing.T) {
	tmp := tempDir(t)
	c := startChild(t, tmp)
	if err := syscall.Kill(-c.shell, syscall.SIGKILL); err != nil { // the postmaster too
		t.Fatal(err)
	}
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	c.awaitShell(t)
	if _, err := os.Stat(c.folder.Name()); err != nil {
		t.Fatalf("nothing to sweep: %v", err)
	}
	if err := flock(c.folder, syscall.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	next := startChild(t, tmp)
	c.assertNothingLeft(t)
	connect(t, next.url)
}

func TestProcessesThatStartAtOnceShareOneTemplate(t *testing.T) {
	needBinaries(t)
	tmp := tempDir(t)
	t.Run("processes", func(t *testing.T) {
		for range 3 {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				connect(t, startChild(t, tmp).url)
			})
		}
	})
	templates, err := filepath.Glob(filepath.Join(tmp, "*", "*.tar"))
	if err != nil || len(templates) != 1 {
		t.Errorf("templates: %v, %v", templates, err)
	}
}

func TestWithoutPostgresATestIsSkippedByNameAndFailsInCI(t *testing.T) {
	skipped := filepath.Join(t.TempDir(), "skipped")
	out, err := childCommand(t, "without postgres", "PATH=", "CI=", EnvBin+"=", EnvSkipped+"="+skipped).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- SKIP: TestChild") {
		t.Errorf("%v\n%s", err, out)
	}
	const want = "github.com/fieldcrypt/go/internal/pgtest TestChild\n"
	if got, err := os.ReadFile(skipped); string(got) != want {
		t.Errorf("noted as skipped: %q, %v", got, err)
	}
	out, err = childCommand(t, "without postgres", "PATH=", "CI=true", EnvBin+"=").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "no Postgres found") {
		t.Errorf("CI=true: %v\n%s", err, out)
	}
}

func TestLongTMPDIRDoesNotMakeALongSocketPath(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), strings.Repeat("x", 80)))
	h, err := openHome()
	if err != nil {
		t.Fatal(err)
	}
	if p := socketPath(filepath.Join(h.dir, "run", newID())); len(p) >= maxSocketPath {
		t.Errorf("%d bytes: %s", len(p), p)
	}
}

func TestHomeThatOthersCanWriteIsRefused(t *testing.T) {
	tmp := tempDir(t)
	t.Setenv("TMPDIR", tmp)
	planted := filepath.Join(tmp, fmt.Sprintf("fieldcrypt-pgtest-%d", os.Geteuid()))
	if err := os.Mkdir(planted, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(planted, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := openHome(); err == nil {
		t.Error("accepted")
	}
}
