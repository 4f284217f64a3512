package pgxcrypt

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// seal seals the arguments of a statement. pgx's options come first among them.
func (d *DB) seal(ctx context.Context, sql string, given []any) ([]any, error) {
	for i, arg := range given {
		switch arg := arg.(type) {
		case pgx.QueryExecMode, pgx.QueryResultFormats, pgx.QueryResultFormatsByOID:
			continue
		case pgx.QueryRewriter:
			rewriter, err := d.rewriter(ctx, sql, arg)
			if err != nil {
				return nil, err
			}
			out := slices.Clone(given)
			out[i] = rewriter
			rest, err := sealArguments(ctx, d.fc, sql, given[i+1:])
			return append(out[:i+1], rest...), err
		default:
			rest, err := sealArguments(ctx, d.fc, sql, given[i:])
			return append(given[:i:i], rest...), err
		}
	}
	return given, nil
}

// rewriter makes a rewriter one whose arguments are sealed. Where the arguments
// are to be seen they are sealed here and now, and else their keys are opened if
// they are known.
func (d *DB) rewriter(ctx context.Context, sql string, r pgx.QueryRewriter) (pgx.QueryRewriter, error) {
	switch r := r.(type) {
	case *args:
		r.warm(ctx)
		return r, nil
	case *unnest:
		r.warm(ctx)
		return r, nil
	case pgx.NamedArgs:
		named, err := d.named(ctx, sql, r)
		return pgx.NamedArgs(named), err
	case pgx.StrictNamedArgs:
		named, err := d.named(ctx, sql, r)
		return pgx.StrictNamedArgs(named), err
	}
	return &sealedRewriter{hidden{"pgxcrypt arguments"}, r, d.fc}, nil
}

// named seals arguments by name, those that the SQL uses: one that it does not use
// is not written.
func (d *DB) named(ctx context.Context, sql string, given map[string]any) (map[string]any, error) {
	marks := make(map[string]any, len(given))
	for name := range given {
		marks[name] = mark(name)
	}
	_, used, err := pgx.NamedArgs(marks).RewriteQuery(ctx, nil, sql, nil)
	if err != nil {
		return nil, err
	}
	out := maps.Clone(given)
	values := make([]any, len(used))
	missing := false
	for i, v := range used {
		if name, ok := v.(mark); ok {
			values[i] = given[string(name)]
			delete(marks, string(name))
		} else {
			missing = true
		}
	}
	for name := range marks {
		if missing && concerns(given[name]) {
			return nil, usageErr("seal", fieldcrypt.ErrUnsupported, fmt.Sprintf("the SQL does not use the argument %s, and names another that is not given and would be NULL; name the arguments alike", name))
		}
		out[name] = nil
	}
	if values, err = sealArguments(ctx, d.fc, sql, values); err != nil {
		return nil, err
	}
	for i, v := range used {
		if name, ok := v.(mark); ok {
			out[string(name)] = values[i]
		}
	}
	return out, nil
}

// mark stands for an argument by name.
type mark string

// sealedRewriter seals what a rewriter makes of arguments.
type sealedRewriter struct {
	hidden
	inner pgx.QueryRewriter
	fc    *fieldcrypt.Crypter
}

// RewriteQuery implements pgx.QueryRewriter.
func (s *sealedRewriter) RewriteQuery(ctx context.Context, conn *pgx.Conn, sql string, args []any) (string, []any, error) {
	sql, args, err := s.inner.RewriteQuery(ctx, conn, sql, args)
	if err != nil {
		return "", nil, err
	}
	args, err = sealArguments(ctx, s.fc, sql, args)
	return sql, args, err
}
