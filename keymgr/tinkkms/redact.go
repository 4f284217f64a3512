package tinkkms

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// String returns the KEK's type and URI; so do the other formatters.
func (k KEK) String() string { return "tinkkms.KEK(" + k.uri + ")" }

// GoString implements fmt.GoStringer.
func (k KEK) GoString() string { return k.String() }

// Format implements fmt.Formatter, for every verb.
func (k KEK) Format(f fmt.State, _ rune) { io.WriteString(f, k.String()) }

// LogValue implements slog.LogValuer.
func (k KEK) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON implements json.Marshaler.
func (k KEK) MarshalJSON() ([]byte, error) { return json.Marshal(k.String()) }
