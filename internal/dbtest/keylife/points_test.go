package keylife_test

import (
	"context"
	"os"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"github.com/fieldcrypt/go/keymgr"
)

// points counts the moments around every statement, BEGIN and COMMIT included,
// and every KMS call, and kills the process at one of them. nil kills nobody.
type points struct {
	n  atomic.Int64
	at int64
}

func (p *points) pass() {
	if p == nil || p.n.Add(1) != p.at {
		return
	}
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {} // until the signal is there
}

func (p *points) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	p.pass()
	return ctx
}

func (p *points) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) { p.pass() }

// mortalKEK passes points before and after each call.
type mortalKEK struct {
	keymgr.KEK
	points *points
}

func (k mortalKEK) GenerateDataKey(ctx context.Context, wc keymgr.WrapContext) ([]byte, []byte, error) {
	k.points.pass()
	defer k.points.pass()
	return k.KEK.GenerateDataKey(ctx, wc)
}

func (k mortalKEK) Wrap(ctx context.Context, plaintext []byte, wc keymgr.WrapContext) ([]byte, error) {
	k.points.pass()
	defer k.points.pass()
	return k.KEK.Wrap(ctx, plaintext, wc)
}

func (k mortalKEK) Unwrap(ctx context.Context, wrapped []byte, wc keymgr.WrapContext) ([]byte, error) {
	k.points.pass()
	defer k.points.pass()
	return k.KEK.Unwrap(ctx, wrapped, wc)
}
