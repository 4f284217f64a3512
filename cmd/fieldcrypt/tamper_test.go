package main

import (
	"fmt"
	"strings"
	"testing"
)

// Without --verify the database is believed, and that is said; with it, what
// was changed by hand is found.
func TestChangesByHandAreFound(t *testing.T) {
	const (
		keysets = `UPDATE fieldcrypt_keysets SET %s WHERE domain = 'medical'`
		wraps   = `UPDATE fieldcrypt_keyset_wraps SET %s WHERE domain = 'medical'`
	)
	for name, change := range map[string]struct {
		scope   string // as which it stands there now
		queries []string
	}{
		"a state":   {"medical", []string{fmt.Sprintf(keysets, `info = replace(info, '"primary"', '"disabled"')`)}},
		"a time":    {"medical", []string{fmt.Sprintf(keysets, `info = replace(info, '"created":"2', '"created":"1')`)}},
		"no JSON":   {"medical", []string{fmt.Sprintf(keysets, `info = '{'`)}},
		"a format":  {"medical", []string{fmt.Sprintf(keysets, `info = replace(info, '"v":1', '"v":2')`)}},
		"a version": {"medical", []string{fmt.Sprintf(wraps, `version = 2`), fmt.Sprintf(keysets, `version = 2`)}},
		"a domain":  {"other", []string{fmt.Sprintf(wraps, `domain = 'other'`), fmt.Sprintf(keysets, `domain = 'other'`)}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newSQLite(t)
			c.ok("keys", "create", "medical", "notes/acme", "--kek", "local:test.key", "--create-key-file")
			for _, q := range change.queries {
				c.exec(q)
			}
			verify := []string{"--verify", "--kek", "local:test.key"}
			c.code(exitRefused, append([]string{"keys", "show", change.scope}, verify...)...).has(t, "verified       no")
			r := c.code(exitRefused, append([]string{"keys", "list"}, verify...)...)
			r.has(t, "1 of 2 scopes have a problem", "  yes  ")
		})
	}
}

func TestADamagedScopeDoesNotHideTheOthers(t *testing.T) {
	c := newSQLite(t)
	c.ok("keys", "create", "finance", "medical", "--kek", "local:test.key", "--create-key-file")
	c.exec(`DELETE FROM fieldcrypt_keyset_wraps WHERE domain = 'finance'`)
	c.code(exitRefused, "keys", "list").has(t, "medical  1 ", "finance: ", "no wrapped data key")
	c.code(exitRefused, "keys", "show", "finance").has(t, "compare the fieldcrypt_ tables with a backup")
}

func TestTheDatabaseCannotWriteToTheScreen(t *testing.T) {
	c := newSQLite(t)
	c.ok("keys", "create", "medical", "finance", "--kek", "local:test.key", "--create-key-file")
	c.exec(`UPDATE fieldcrypt_keyset_wraps SET kek_uri = 'x' || char(27) || '[2J' || char(10, 13, 155) || 'y' WHERE domain = 'medical'`)
	c.exec(`UPDATE fieldcrypt_keysets SET domain = 'a' || char(27, 10) WHERE domain = 'finance'`)
	for _, args := range [][]string{
		{"keys", "list"},
		{"keys", "show", "medical"},
		{"keys", "show", "medical", "--verify", "--kek", "local:test.key"},
		{"keys", "rewrap", "medical", "--kek", "local:test.key"},
	} {
		r := c.run(args...)
		if strings.ContainsAny(r.out+r.err, "\x1b\r\u009b") || strings.Contains(r.out, "\ny") {
			t.Errorf("%q wrote %q", args, r.out+r.err)
		}
	}
}
