package fieldcrypt

import "sync"

// scratch is a buffer for associated data, plaintext and PRF input. It is wiped
// before it goes back.
type scratch struct{ b []byte }

var scratches = sync.Pool{New: func() any { return &scratch{make([]byte, 0, 512)} }}

// maxScratch bounds the buffers that are kept, in bytes.
const maxScratch = 4 << 10

func getScratch() *scratch { return scratches.Get().(*scratch) }

func (s *scratch) free() {
	clear(s.b[:cap(s.b)])
	if cap(s.b) <= maxScratch {
		s.b = s.b[:0]
		scratches.Put(s)
	}
}
