package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// account prints what happens, each line with the time since the start.
type account struct {
	mu    sync.Mutex
	w     io.Writer
	began time.Time
}

func (a *account) line(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fmt.Fprintf(a.w, "%6.1f s  %s\n", time.Since(a.began).Seconds(), fmt.Sprintf(format, args...))
}
