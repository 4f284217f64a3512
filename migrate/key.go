package migrate

import (
	"encoding/binary"
	"errors"
)

// A key is stored as the binary values of its columns, each after its length in
// four bytes. nil stands for no key: the beginning of a table, or its end.

func packKey(key [][]byte) []byte {
	if key == nil {
		return nil
	}
	var b []byte
	for _, v := range key {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
	}
	return b
}

var errKey = errors.New("a stored key is cut short")

func unpackKey(b []byte) ([][]byte, error) {
	var key [][]byte
	for len(b) > 0 {
		if len(b) < 4 || uint64(len(b)-4) < uint64(binary.BigEndian.Uint32(b)) {
			return nil, errKey
		}
		n := 4 + int(binary.BigEndian.Uint32(b))
		key = append(key, b[4:n:n])
		b = b[n:]
	}
	return key, nil
}
