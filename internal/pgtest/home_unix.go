//go:build unix

package pgtest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// maxSocketPath is below what every system allows for the path of a unix socket
// (104 bytes on macOS with the closing zero, 108 on Linux).
const maxSocketPath = 100

// home is the folder in which the templates and the servers of one user live.
//
//	lock         held while anything below is looked for, made or swept
//	KEY.tar      the result of initdb for one version of Postgres
//	run/ID/      a server: data/, log, and its socket; locked while it lives
type home struct {
	dir     string
	account *syscall.Credential // under which servers run; nil: our own
}

// openHome makes the user's folder in $TMPDIR, or in /tmp where that is too long
// for a socket or, as root, closed to the servers' account.
func openHome() (*home, error) {
	account, err := serverAccount()
	if err != nil {
		return nil, err
	}
	tmp := os.TempDir()
	if len(socketPath(filepath.Join(tmp, homeName(), "run", newID()))) >= maxSocketPath || account != nil && !open(tmp) {
		tmp = "/tmp"
	}
	h := &home{dir: filepath.Join(tmp, homeName()), account: account}
	if err := h.make(); err != nil {
		return nil, err
	}
	return h, nil
}

func homeName() string { return fmt.Sprintf("fieldcrypt-pgtest-%d", os.Geteuid()) }

// make makes what is missing, and refuses a folder that somebody else has put
// there: in /tmp everyone can.
func (h *home) make() error {
	if err := os.Mkdir(h.dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(h.dir)
	if err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t).Uid
	if !info.IsDir() || int(owner) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s is not a folder of ours alone: remove it", h.dir)
	}
	if h.account != nil { // which has to pass through
		if err := os.Chmod(h.dir, 0o711); err != nil {
			return err
		}
	}
	run := filepath.Join(h.dir, "run")
	if err := os.Mkdir(run, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return h.giveAway(run)
}

// giveAway makes a folder the servers' account's own.
func (h *home) giveAway(dir string) error {
	if h.account == nil {
		return nil
	}
	return os.Lchown(dir, int(h.account.Uid), int(h.account.Gid))
}

// serverAccount returns nobody when we are root, for Postgres refuses root; nil
// otherwise.
func serverAccount() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return nil, fmt.Errorf("no account for Postgres, which refuses root: %w", err)
	}
	uid, err := strconv.ParseUint(nobody.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(nobody.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// open reports whether everyone may pass through a folder and those above it.
func open(dir string) bool {
	for {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		up := filepath.Dir(dir)
		if up == dir {
			return true
		}
		dir = up
	}
}

// lock waits for the folder's lock; closing the file gives it back.
func (h *home) lock() (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(h.dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(f, syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// sweep removes the folders of servers whose watching shell is gone. What
// cannot be removed now is tried again by the next process.
func (h *home) sweep() {
	run := filepath.Join(h.dir, "run")
	entries, _ := os.ReadDir(run)
	for _, e := range entries {
		dir := filepath.Join(run, e.Name())
		f, err := os.Open(dir)
		if err != nil {
			continue // its shell has just removed it
		}
		if flock(f, syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			os.RemoveAll(dir)
		}
		f.Close()
	}
}

// claim makes and locks the folder of a new server. The home must be locked, or
// a sweep could come between the two.
func (h *home) claim() (dir string, lock *os.File, err error) {
	dir = filepath.Join(h.dir, "run", newID())
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", nil, err
	}
	if err := h.giveAway(dir); err != nil {
		return "", nil, err
	}
	lock, err = os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	if err := flock(lock, syscall.LOCK_EX); err != nil {
		lock.Close()
		return "", nil, err
	}
	return dir, lock, nil
}

// flock locks an open file or folder; a signal does not end the wait.
func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
