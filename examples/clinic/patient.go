package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/fieldcrypt/go/drivers/gormcrypt"
)

// Patient is a row of the table patients. What is tagged is ciphertext there.
type Patient struct {
	gormcrypt.Encrypted // marks the model; adds no column

	ID        uint64
	Name      string    `fieldcrypt:"medical,pad=32" gorm:"not null"`                  // hides the length, in steps of 32 bytes
	MRN       string    `fieldcrypt:"medical,index=upper" gorm:"not null;uniqueIndex"` // searchable and unique, whatever its case
	Card      *string   `fieldcrypt:"finance,index=digits"`                            // found however it is typed; NULL stays NULL
	BirthDate time.Time `fieldcrypt:"medical" gorm:"not null"`                         // not only text
	Notes     *string   `fieldcrypt:"medical,pad=64"`
	CreatedAt time.Time // not tagged: stored as it is
	UpdatedAt time.Time
}

// A Patient prints as its number, wherever it is put: in a log on purpose, in one
// by mistake inside a slice or another struct, in the text of an error. What the
// API answers is made from it by view, in wire.go.

// LogValue implements slog.LogValuer.
func (p Patient) LogValue() slog.Value { return slog.GroupValue(slog.Uint64("id", p.ID)) }

// MarshalJSON is what slog's JSON handler asks where it finds no LogValue: within
// slices and structs.
func (p Patient) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]uint64{"id": p.ID})
}

// Format implements fmt.Formatter, for every verb.
func (p Patient) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "patient %d", p.ID) }
