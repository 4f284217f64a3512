//go:build unix

package main

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// asMain makes the test binary run main.
const asMain = "FIELDCRYPT_QUICKSTART_AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
	}
	os.Exit(m.Run())
}

func mainWith(t *testing.T, args ...string) (cmd *exec.Cmd, stderr *bytes.Buffer) {
	cmd, stderr = exec.Command(os.Args[0], args...), new(bytes.Buffer)
	cmd.Env, cmd.Stderr = append(os.Environ(), asMain+"=1"), stderr
	return cmd, stderr
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

// A Postgres that accepts the connection and then says nothing holds the program
// where Ctrl-C can reach it.
func TestCtrlCEndsCleanly(t *testing.T) {
	tmp := tempFolder(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	cmd, stderr := mainWith(t, "-postgres", "postgres://nobody@"+silent.Addr().String()+"/none?sslmode=disable")
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
	if code := exitCode(t, cmd.Wait()); code != 130 || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("exit code %d, stderr %q; want 130 and that it was interrupted", code, stderr)
	}
	checkEmpty(t, tmp)
}

func TestExitCodes(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close() // nothing listens there now
	for name, c := range map[string]struct {
		args []string
		want int
	}{
		"help":              {[]string{"-h"}, 0},
		"wrong flag":        {[]string{"-x"}, 2},
		"no database there": {[]string{"-postgres", "postgres://u:geheim@" + closed.Addr().String() + "/x?sslmode=disable"}, 1},
		"no KMS there":      {[]string{"-kms", "http://" + closed.Addr().String()}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			tmp := tempFolder(t)
			cmd, stderr := mainWith(t, c.args...)
			if code := exitCode(t, cmd.Run()); code != c.want {
				t.Errorf("exit code %d, want %d: %s", code, c.want, stderr)
			}
			if strings.Contains(stderr.String(), "geheim") {
				t.Errorf("the password is in the error: %s", stderr)
			}
			checkEmpty(t, tmp)
		})
	}
}
