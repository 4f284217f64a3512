package pgtest

import (
	"path/filepath"
	"syscall"
)

// memory is a folder in memory, and minFree what must be free there: a
// container often has no more than 64 MB in all.
const (
	memory  = "/dev/shm"
	minFree = 1 << 30
)

// openMemory makes the user's folder in memory, for servers and no templates;
// nil where that cannot be had.
func openMemory() *home {
	var fs syscall.Statfs_t
	account, err := serverAccount()
	if err != nil || syscall.Statfs(memory, &fs) != nil || uint64(fs.Bavail)*uint64(fs.Bsize) < minFree || account != nil && !open(memory) {
		return nil
	}
	h := &home{dir: filepath.Join(memory, homeName()), account: account}
	if h.make() != nil {
		return nil
	}
	return h
}
