// Package frame encodes lists of byte strings injectively. Everything that
// fieldcrypt authenticates or hashes beside a plaintext is framed this way
// (FORMAT.md, "Framing").
package frame

import "encoding/binary"

// Labels tell what a frame is for, so that a frame of one kind never equals
// one of another. Do not change these values: stored bytes depend on them.
const (
	Value   byte = 'v' // associated data of a stored value
	Index   byte = 'i' // PRF input of a blind index
	Keyset  byte = 'k' // associated data of a wrapped keyset
	DataKey byte = 'w' // associated data of a data key under a KEK without an encryption context
)

const headerLen = 3 + 1 + 4 // "fc" 01, label, count

// Append appends frame(label; parts) to dst:
//
//	"fc" 01 label | count u32be | (length u32be | bytes)*
func Append(dst []byte, label byte, parts ...[]byte) []byte {
	dst = Begin(dst, label, len(parts))
	for _, p := range parts {
		dst = AppendPart(dst, p)
	}
	return dst
}

// Make returns frame(label; parts).
func Make(label byte, parts ...[]byte) []byte {
	n := headerLen
	for _, p := range parts {
		n += 4 + len(p)
	}
	return Append(make([]byte, 0, n), label, parts...)
}

// Begin appends the header of a frame with count parts; the caller appends
// exactly that many with [AppendPart] or [AppendString].
func Begin(dst []byte, label byte, count int) []byte {
	dst = append(dst, 'f', 'c', 0x01, label)
	return binary.BigEndian.AppendUint32(dst, uint32(count))
}

// AppendPart appends one part of a frame.
func AppendPart(dst, part []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(part)))
	return append(dst, part...)
}

// AppendString is [AppendPart] for a string.
func AppendString(dst []byte, part string) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(part)))
	return append(dst, part...)
}
