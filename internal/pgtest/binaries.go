package pgtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// binaries are one installed version of Postgres.
type binaries struct {
	dir     string
	version string // as postgres --version prints it
	number  int    // 15.14 is 15014
}

// folders are where packages put the server's binaries, which are seldom on the
// PATH. .ci/postgres looks in the same places.
var folders = []string{
	"/usr/lib/postgresql/*/bin", // Debian
	"/usr/pgsql-*/bin",          // Red Hat, from postgresql.org
	"/opt/homebrew/opt/postgresql*/bin",
	"/usr/local/opt/postgresql*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

// findBinaries returns the newest Postgres of this machine, or ErrMissing.
func findBinaries() (binaries, error) {
	if dir := os.Getenv(EnvBin); dir != "" {
		b, err := inspect(dir)
		if err != nil {
			return binaries{}, fmt.Errorf("%s: %w", EnvBin, err)
		}
		return b, nil
	}
	best := binaries{}
	for _, dir := range candidates() {
		if b, err := inspect(dir); err == nil && b.number > best.number {
			best = b
		}
	}
	if best.dir == "" {
		return binaries{}, ErrMissing
	}
	return best, nil
}

func candidates() []string {
	var dirs []string
	for _, pattern := range folders {
		found, _ := filepath.Glob(pattern) // fails for a wrong pattern alone
		dirs = append(dirs, found...)
	}
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	return dirs
}

var versionNumber = regexp.MustCompile(`\(PostgreSQL\) (\d+)(?:\.(\d+))?`)

// inspect asks the server binary of a folder for its version.
func inspect(dir string) (binaries, error) {
	if _, err := exec.LookPath(filepath.Join(dir, "initdb")); err != nil {
		return binaries{}, err
	}
	out, err := exec.Command(filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return binaries{}, err
	}
	version := strings.TrimSpace(string(out))
	m := versionNumber.FindStringSubmatch(version)
	if m == nil {
		return binaries{}, fmt.Errorf("%s: not a version of Postgres: %q", dir, version)
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2]) // a beta has none
	return binaries{dir: dir, version: version, number: major*1000 + minor}, nil
}
