package fieldcrypttest

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// logReader reads what a server has logged for one database.
type logReader struct {
	server   *server
	database string
	from     string // what is logged up to this text is over
}

// restart makes read begin here.
func (l *logReader) restart(ctx context.Context, admin *pgx.Conn) error {
	if l.server.log == nil {
		return nil
	}
	mark, _, err := l.mark(ctx, admin)
	l.from = mark
	return err
}

// read returns the log since restart, and whether it can be read. What other
// databases of the server have to do with is left out.
func (l *logReader) read(ctx context.Context, admin *pgx.Conn) (text string, ok bool, err error) {
	if l.server.log == nil {
		return "", false, nil
	}
	_, text, err = l.mark(ctx, admin)
	if err != nil {
		return "", false, err
	}
	if _, after, found := strings.Cut(text, l.from); found {
		text = after
	}
	return ofDatabase(text, l.database), true, nil
}

// mark has the server log a text and waits for it to arrive: what was logged
// before has arrived by then.
func (l *logReader) mark(ctx context.Context, admin *pgx.Conn) (mark, text string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	mark = "mark " + rand.Text()
	if _, err := admin.Exec(ctx, "SELECT '"+mark+"'"); err != nil {
		return "", "", err
	}
	for {
		if text, err = l.server.log(); err != nil {
			return "", "", err
		}
		if strings.Contains(text, mark) {
			return mark, text, nil
		}
		select {
		case <-ctx.Done():
			return "", "", errors.New("a statement does not turn up in it")
		case <-time.After(time.Millisecond):
		}
	}
}

// ofDatabase drops what is about other databases than the named one. A line of
// the log begins with its database in brackets, "[]" where it is about none, and
// goes on in lines that begin with a tab.
func ofDatabase(text, name string) string {
	var b strings.Builder
	keep := true
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "\t") {
			database, rest, bracketed := strings.Cut(strings.TrimPrefix(line, "["), "] ")
			bracketed = bracketed && strings.HasPrefix(line, "[")
			if keep = !bracketed || database == "" || database == name; keep && bracketed {
				line = rest
			}
		}
		if keep {
			b.WriteString(line)
		}
	}
	return b.String()
}
