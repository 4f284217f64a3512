package localkms

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/fieldcrypt/go/keymgr"
)

// Do not change these values: key files depend on them (FORMAT.md, "Local KEK").
const (
	linePrefix = "fieldcrypt-kek-v1:"
	lineSize   = len(linePrefix) + (KeySize+2)/3*4
)

var base64Strict = base64.StdEncoding.Strict()

func formatLine(key []byte) string {
	return linePrefix + base64Strict.EncodeToString(key)
}

// parseLine reads a key from its text without the newline. Its errors say
// nothing of what stood there.
func parseLine(line string) (*KEK, error) {
	encoded, ok := strings.CutPrefix(line, linePrefix)
	if !ok || len(line) != lineSize || strings.ContainsAny(encoded, "\r\n") { // which base64 would skip
		return nil, errLine
	}
	key, err := base64Strict.DecodeString(encoded)
	if err != nil {
		return nil, errLine
	}
	return New(key)
}

var errLine = fmt.Errorf("%w: not a key: want the one line %q and %d random bytes in base64",
	keymgr.ErrConfig, linePrefix, KeySize)
