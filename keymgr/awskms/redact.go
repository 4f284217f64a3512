package awskms

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// A KEK is its URI in every formatter: grant tokens, the client and its
// credentials are not printed.

// String returns the URI.
func (k *KEK) String() string { return k.uri }

// GoString returns the URI.
func (k *KEK) GoString() string { return k.uri }

// Format prints the URI for every verb.
func (k *KEK) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.uri) }

// LogValue returns the URI.
func (k *KEK) LogValue() slog.Value { return slog.StringValue(k.uri) }

// MarshalJSON returns the URI as a JSON string.
func (k *KEK) MarshalJSON() ([]byte, error) { return json.Marshal(k.uri) }
