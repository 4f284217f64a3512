package migratecmd

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// byteSize is a number of bytes as a flag: 50MB, 64MiB, 1000000.
type byteSize int64

var byteUnits = []struct {
	name string
	size float64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1},
}

func (b *byteSize) Set(s string) error {
	size := 1.0
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(s, u.name); ok {
			s, size = rest, u.size
			break
		}
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || !(n*size >= 0 && n*size < math.MaxInt64) {
		return errors.New("want a number of bytes such as 50MB or 64MiB")
	}
	*b = byteSize(n * size)
	return nil
}

func (b *byteSize) String() string {
	if *b == 0 {
		return ""
	}
	return bytesText(int64(*b))
}

// Type is for the help.
func (b *byteSize) Type() string { return "bytes" }

// bytesText is a number of bytes for people.
func bytesText(n int64) string {
	for _, u := range []struct {
		name string
		size int64
	}{{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}} {
		if n >= u.size {
			return strconv.FormatFloat(float64(n)/float64(u.size), 'g', 3, 64) + " " + u.name
		}
	}
	return strconv.FormatInt(n, 10) + " B"
}
