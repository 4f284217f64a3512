package pgxcrypt

import (
	"context"
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

func (d *DB) named(ctx context.Context, sql string, given map[string]any) (map[string]any, error) {
	names := slices.Sorted(maps.Keys(given))
	values := make([]any, len(names))
	for i, name := range names {
		values[i] = given[name]
	}
	values, err := sealArguments(ctx, d.fc, sql, values)
	if err != nil {
		return nil, err
	}
	out := make(map[string]any, len(names))
	for i, name := range names {
		out[name] = values[i]
	}
	return out, nil
}

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
