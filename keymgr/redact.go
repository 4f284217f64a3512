package keymgr

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
)

// Nothing of this package that holds keys, wrapped or not, prints them. Every
// type says in one line what it is, to every formatter.

func format(s fmt.State, text string)        { io.WriteString(s, text) }
func marshal(text string) ([]byte, error)    { return json.Marshal(text) }
func domainNames(d map[string]Domain) string { return strings.Join(slices.Sorted(maps.Keys(d)), ", ") }

// String names the domains; so do all the other formatters.
func (c Config) String() string { return "keymgr.Config{" + domainNames(c.Domains) + "}" }

// GoString is String.
func (c Config) GoString() string { return c.String() }

// Format writes String for every verb.
func (c Config) Format(s fmt.State, _ rune) { format(s, c.String()) }

// LogValue is String.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON is String.
func (c Config) MarshalJSON() ([]byte, error) { return marshal(c.String()) }

// String counts the KEKs; so do all the other formatters.
func (d Domain) String() string {
	return fmt.Sprintf("keymgr.Domain{%d KEKs, %d to decrypt only}", len(d.KEKs), len(d.DecryptOnly))
}

// GoString is String.
func (d Domain) GoString() string { return d.String() }

// Format writes String for every verb.
func (d Domain) Format(s fmt.State, _ rune) { format(s, d.String()) }

// LogValue is String.
func (d Domain) LogValue() slog.Value { return slog.StringValue(d.String()) }

// MarshalJSON is String.
func (d Domain) MarshalJSON() ([]byte, error) { return marshal(d.String()) }

// String names the domains; so do all the other formatters.
func (m *Manager) String() string { return "keymgr.Manager{" + domainNames(m.cfg.Domains) + "}" }

// GoString is String.
func (m *Manager) GoString() string { return m.String() }

// Format writes String for every verb.
func (m *Manager) Format(s fmt.State, _ rune) { format(s, m.String()) }

// LogValue is String.
func (m *Manager) LogValue() slog.Value { return slog.StringValue(m.String()) }

// MarshalJSON is String.
func (m *Manager) MarshalJSON() ([]byte, error) { return marshal(m.String()) }

// String names the domain; so do all the other formatters.
func (s *ScopeKeys) String() string { return "keymgr.ScopeKeys{" + s.scope.Domain + "}" }

// GoString is String.
func (s *ScopeKeys) GoString() string { return s.String() }

// Format writes String for every verb.
func (s *ScopeKeys) Format(f fmt.State, _ rune) { format(f, s.String()) }

// LogValue is String.
func (s *ScopeKeys) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON is String.
func (s *ScopeKeys) MarshalJSON() ([]byte, error) { return marshal(s.String()) }

// String names the domain and the version; so do all the other formatters.
func (k *Keys) String() string {
	return fmt.Sprintf("keymgr.Keys{%s version %d}", k.scope.Domain, k.version)
}

// GoString is String.
func (k *Keys) GoString() string { return k.String() }

// Format writes String for every verb.
func (k *Keys) Format(s fmt.State, _ rune) { format(s, k.String()) }

// LogValue is String.
func (k *Keys) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON is String.
func (k *Keys) MarshalJSON() ([]byte, error) { return marshal(k.String()) }

// String gives the key id; so do all the other formatters.
func (k *SealKey) String() string { return fmt.Sprintf("keymgr.SealKey{%d}", k.id) }

// GoString is String.
func (k *SealKey) GoString() string { return k.String() }

// Format writes String for every verb.
func (k *SealKey) Format(s fmt.State, _ rune) { format(s, k.String()) }

// LogValue is String.
func (k *SealKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON is String.
func (k *SealKey) MarshalJSON() ([]byte, error) { return marshal(k.String()) }

// String gives the key id; so do all the other formatters.
func (k *IndexKey) String() string { return fmt.Sprintf("keymgr.IndexKey{%d}", k.id) }

// GoString is String.
func (k *IndexKey) GoString() string { return k.String() }

// Format writes String for every verb.
func (k *IndexKey) Format(s fmt.State, _ rune) { format(s, k.String()) }

// LogValue is String.
func (k *IndexKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON is String.
func (k *IndexKey) MarshalJSON() ([]byte, error) { return marshal(k.String()) }

// String names the domain, the version and the KEKs; so do all the other
// formatters.
func (r Record) String() string {
	return fmt.Sprintf("keymgr.Record{%s version %d, wrapped under %s}", r.Scope.Domain, r.Version, strings.Join(kekURIs(r.Wraps), ", "))
}

// GoString is String.
func (r Record) GoString() string { return r.String() }

// Format writes String for every verb.
func (r Record) Format(s fmt.State, _ rune) { format(s, r.String()) }

// LogValue is String.
func (r Record) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalJSON is String.
func (r Record) MarshalJSON() ([]byte, error) { return marshal(r.String()) }

// String names the KEK; so do all the other formatters.
func (w Wrap) String() string { return "keymgr.Wrap{" + w.KEKURI + "}" }

// GoString is String.
func (w Wrap) GoString() string { return w.String() }

// Format writes String for every verb.
func (w Wrap) Format(s fmt.State, _ rune) { format(s, w.String()) }

// LogValue is String.
func (w Wrap) LogValue() slog.Value { return slog.StringValue(w.String()) }

// MarshalJSON is String.
func (w Wrap) MarshalJSON() ([]byte, error) { return marshal(w.String()) }
