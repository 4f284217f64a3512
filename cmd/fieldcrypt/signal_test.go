package main

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

func TestTheProcessStopsOnAnInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals there")
	}
	c := newSQLite(t)
	kms := c.kms()
	arrived, _ := kms.Hang()

	var stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), os.Args[0], "keys", "create", "medical", "--kek", medical)
	cmd.Env = append(os.Environ(), asMain+"=1")
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-arrived
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitIncomplete || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("%v\n%s", err, &stderr)
	}
	kms.Recover()
	if got := c.list(); len(got) != 0 {
		t.Errorf("made: %+v", got)
	}
}
