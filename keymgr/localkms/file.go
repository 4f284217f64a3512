package localkms

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/fieldcrypt/go/keymgr"
)

// Open reads the KEK in the key file at path. It follows symbolic links, as
// mounted secrets are made of them, and judges the file they lead to: a regular
// one that neither its group nor others can read or write (mode 0600 or less;
// not checked on Windows). Errors match keymgr.ErrConfig, and fs.ErrNotExist
// where there is no file.
func Open(path string) (*KEK, error) {
	kek, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("localkms: key file %s: %w", path, err)
	}
	return kek, nil
}

// OpenOrCreate is [Open], but makes the file with a new random key and mode
// 0600 if nothing stands at path. Processes that start at once get the same
// key. The folder must exist, on a file system with hard links.
//
// If the file was lost, this makes another key, under which older keysets do
// not open (keymgr.ErrKEKNotAllowed): put the old file back.
func OpenOrCreate(path string) (*KEK, error) {
	kek, err := Open(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return kek, err
	}
	if err := createFile(path); err != nil {
		return nil, fmt.Errorf("localkms: create key file %s: %w: %w", path, keymgr.ErrConfig, err)
	}
	return Open(path)
}

// FromEnv reads the KEK in an environment variable: the line of a key file, with
// or without its newline. Errors match keymgr.ErrConfig.
func FromEnv(name string) (*KEK, error) {
	v, ok := os.LookupEnv(name)
	if !ok || v == "" {
		return nil, fmt.Errorf("localkms: environment variable %s: %w: not set", name, keymgr.ErrConfig)
	}
	kek, err := parseLine(strings.TrimSuffix(v, "\n"))
	if err != nil {
		return nil, fmt.Errorf("localkms: environment variable %s: %w", name, err)
	}
	return kek, nil
}

func readFile(path string) (*KEK, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", keymgr.ErrConfig, err)
	}
	defer f.Close()
	info, err := f.Stat() // of the file that is open, not of what path names by now
	if err != nil {
		return nil, fmt.Errorf("%w: %w", keymgr.ErrConfig, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: not a regular file", keymgr.ErrConfig)
	}
	// Windows keeps its rights elsewhere, and Go reports 0666 there.
	if perm := info.Mode().Perm(); perm&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%w: mode %04o lets others in: chmod 600 it, and make a new key if they may have read this one", keymgr.ErrConfig, perm)
	}
	text, err := io.ReadAll(io.LimitReader(f, int64(lineSize)+2))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", keymgr.ErrConfig, err)
	}
	line, ok := strings.CutSuffix(string(text), "\n")
	if !ok {
		return nil, errLine
	}
	return parseLine(line)
}

// createFile makes the file appear at path whole or not at all: it is written
// under another name and then linked, which does nothing if anything stands at
// path by now, be it a dangling symbolic link.
func createFile(path string) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // O_EXCL, mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	key := make([]byte, KeySize)
	rand.Read(key) // never fails
	_, err = f.WriteString(formatLine(key) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(dir)
}

// syncDir makes the new name last: a key must not vanish in a crash after
// something was wrapped under it.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // a folder cannot be synced there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
