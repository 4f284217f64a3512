package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"strings"
	"time"
)

// printer writes what the run shows.
type printer struct {
	w        io.Writer
	kmsCalls func() int64 // how many there were so far
	steps    int
	times    []string
}

func (p *printer) title(format string, a ...any) {
	fmt.Fprintf(p.w, "fieldcrypt quickstart: "+format+"\n", a...)
}

func (p *printer) step(text string) {
	p.steps++
	fmt.Fprintf(p.w, "\n%d. %s\n", p.steps, text)
}

func (p *printer) line(format string, a ...any) {
	fmt.Fprintf(p.w, "   "+format+"\n", a...)
}

// timed runs something that handles n rows, prints how long that took and what
// it asked of the KMS, and remembers it for the summary.
func (p *printer) timed(what string, n int, do func() error) error {
	began, calls := time.Now(), p.kmsCalls()
	if err := do(); err != nil {
		return err
	}
	took := time.Since(began)
	text := fmt.Sprintf("%s %d rows: %v", what, n, took.Round(100*time.Microsecond))
	p.times = append(p.times, text)
	p.line("%s, KMS calls: %d", text, p.kmsCalls()-calls)
	return nil
}

// storedRow prints a row as the database has it.
func (p *printer) storedRow(ctx context.Context, db *sql.DB, id uint64) error {
	where := fmt.Sprintf("WHERE id = %d", id)
	p.line("SELECT * FROM patients %s", where)
	return storedRows(ctx, db, where, func(columns []string, values []any) error {
		for i, c := range columns {
			p.field(c, stored(values[i]))
		}
		p.line("a value is fc01 and a Tink ciphertext: 01, key id, salt, iv, text, tag; *_bidx are blind indexes")
		return nil
	})
}

// stored prints one stored value: bytes as hex, shortened.
func stored(v any) string {
	const head = 24
	switch v := v.(type) {
	case nil:
		return "NULL"
	case []byte:
		if len(v) > head {
			return fmt.Sprintf("%x… (%d bytes)", v[:head], len(v))
		}
		return fmt.Sprintf("%x", v)
	}
	return fmt.Sprint(v)
}

// patient prints a patient as the application has it.
func (p *printer) patient(pt Patient) {
	p.field("Name", quoted(&pt.Name))
	p.field("MRN", quoted(&pt.MRN))
	p.field("NationalID", quoted(pt.NationalID))
	p.field("Card", quoted(&pt.Card))
	p.field("BirthDate", pt.BirthDate.Format(time.DateOnly))
	p.field("Notes", quoted(pt.Notes))
}

// quoted keeps a text on one line, and short.
func quoted(s *string) string {
	const head = 60
	if s == nil {
		return "nil"
	}
	if r := []rune(*s); len(r) > head {
		return fmt.Sprintf("%q…", string(r[:head]))
	}
	return fmt.Sprintf("%q", *s)
}

func (p *printer) field(name, value string) { p.line("  %-17s %s", name, value) }

func (p *printer) summary() {
	fmt.Fprintf(p.w, "\nDone. %s; KMS calls in all: %d\n", strings.Join(p.times, ", "), p.kmsCalls())
}
