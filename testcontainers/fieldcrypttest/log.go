package fieldcrypttest

import (
	"bytes"
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
	from     int // what is logged before this byte is over
}

// restart makes read begin here.
func (l *logReader) restart(ctx context.Context, admin *pgx.Conn) error {
	if l.server.log == nil {
		return nil
	}
	_, end, err := l.mark(ctx, admin)
	l.from += end
	return err
}

// read returns the log since restart, and whether it can be read. What other
// databases of the server have to do with is left out.
func (l *logReader) read(ctx context.Context, admin *pgx.Conn) (text string, ok bool, err error) {
	if l.server.log == nil {
		return "", false, nil
	}
	logged, end, err := l.mark(ctx, admin)
	if err != nil {
		return "", false, err
	}
	return ofDatabase(string(logged[:end]), l.database), true, nil
}

// mark has the server log a text, and returns what it has logged since restart
// and where the text ends in that: what was logged before has arrived by then.
func (l *logReader) mark(ctx context.Context, admin *pgx.Conn) (logged []byte, end int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	mark := []byte("mark " + rand.Text())
	if _, err := admin.Exec(ctx, "SELECT '"+string(mark)+"'"); err != nil {
		return nil, 0, err
	}
	for {
		more, err := l.server.log(l.from + len(logged))
		if err != nil {
			return nil, 0, err
		}
		begin := max(0, len(logged)-len(mark))
		logged = append(logged, more...)
		if i := bytes.Index(logged[begin:], mark); i >= 0 {
			return logged, begin + i + len(mark), nil
		}
		select {
		case <-ctx.Done():
			return nil, 0, errors.New("a statement does not turn up in it")
		case <-time.After(time.Millisecond):
		}
	}
}

// ofDatabase drops what is about other databases than the named one. A line of
// the log begins with its database in brackets, "[]" where it is about none, and
// goes on in lines before which the server puts a tab, which is taken away.
func ofDatabase(text, name string) string {
	var b strings.Builder
	keep := true
	for line := range strings.Lines(text) {
		line, goesOn := strings.CutPrefix(line, "\t")
		if !goesOn {
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
