package awskmstest

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// A Server is its URL in every formatter: the secrets of keys and users are not
// printed.

// String returns "awskmstest.Server(" and the URL.
func (s *Server) String() string { return "awskmstest.Server(" + s.url + ")" }

// GoString is String.
func (s *Server) GoString() string { return s.String() }

// Format prints String for every verb.
func (s *Server) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue is String.
func (s *Server) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON is String as a JSON string.
func (s *Server) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }
