//go:build unix

package pgtest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// initdbArgs make the template. They are part of its name.
var initdbArgs = []string{"--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"}

// prepare returns the template.
func (h *home) prepare(bin binaries) (string, error) {
	guard, err := h.lock()
	if err != nil {
		return "", err
	}
	defer guard.Close()
	return h.template(bin)
}

// place sweeps the home and returns a locked folder for a server.
func (h *home) place() (dir string, lock *os.File, err error) {
	guard, err := h.lock()
	if err != nil {
		return "", nil, err
	}
	defer guard.Close()
	h.sweep()
	return h.claim()
}

// template returns the archive of what initdb makes, made now if it is missing.
// One file, because a folder half emptied by a cleaner of /tmp would go unseen.
func (h *home) template(bin binaries) (string, error) {
	key := sha256.Sum256([]byte(bin.dir + "\n" + bin.version + "\n" + strings.Join(initdbArgs, " ")))
	file := filepath.Join(h.dir, fmt.Sprintf("%d.%d-%x.tar", bin.number/1000, bin.number%1000, key[:4]))
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return file, err
	}
	work := filepath.Join(h.dir, "work")
	if err := os.RemoveAll(work); err != nil { // of a process that was killed here
		return "", err
	}
	if err := os.Mkdir(work, 0o700); err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	if err := h.giveAway(work); err != nil {
		return "", err
	}
	data, archive := filepath.Join(work, "data"), filepath.Join(work, "archive")
	for _, cmd := range []*exec.Cmd{
		h.command(filepath.Join(bin.dir, "initdb"), append([]string{"--pgdata=" + data}, initdbArgs...)...),
		h.command("tar", "-cf", archive, "-C", work, "data"),
	} {
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w\n%s", cmd.Path, err, out)
		}
	}
	return file, os.Rename(archive, file)
}

// command is a command under the servers' account, in a session of its own so
// that the terminal's Ctrl-C does not reach it, and without the user's PG* and
// locale variables.
func (h *home) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = h.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: h.account}
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "PG") && !strings.HasPrefix(kv, "LC_") && !strings.HasPrefix(kv, "LANG") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	// COPYFILE_DISABLE: no extra ._ files in the archives of macOS.
	cmd.Env = append(cmd.Env, "LC_ALL=C", "COPYFILE_DISABLE=1")
	return cmd
}
