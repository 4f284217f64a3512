package fieldcrypt

import "sync"

// scratch is a buffer for associated data, plaintext and PRF input. It is wiped
// before it goes back.
type scratch struct {
	b     []byte
	whole bool // something may have been written behind b's length
}

var scratches = sync.Pool{New: func() any { return &scratch{b: make([]byte, 0, 512)} }}

// maxScratch bounds the buffers that are kept, in bytes.
const maxScratch = 4 << 10

func getScratch() *scratch {
	s := scratches.Get().(*scratch)
	s.whole = true
	return s
}

func (s *scratch) free() {
	if s.whole {
		s.b = s.b[:cap(s.b)]
	}
	clear(s.b)
	if cap(s.b) <= maxScratch {
		s.b = s.b[:0]
		scratches.Put(s)
	}
}
