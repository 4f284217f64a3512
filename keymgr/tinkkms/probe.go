package tinkkms

import (
	"context"
	"fmt"

	"github.com/fieldcrypt/go/keymgr"
)

// Probe wraps a data key and opens it, in its scope and in another one, which must
// fail although the first still works: four calls. It returns keymgr.ErrConfig if the AEAD does not bind its
// associated data, as keys of some services do not, and else the error of the call
// that failed. For the start of a program.
func (k *KEK) Probe(ctx context.Context) error {
	probe := func(tenant string) keymgr.WrapContext {
		return keymgr.WrapContext{Scope: keymgr.Scope{Domain: "probe", Tenant: tenant}}
	}
	dataKey, wrapped, err := k.GenerateDataKey(ctx, probe("a"))
	if err != nil {
		return err
	}
	defer clear(dataKey)
	opens := func() error {
		opened, err := k.Unwrap(ctx, wrapped, probe("a"))
		if err != nil {
			return err
		}
		defer clear(opened)
		if string(opened) != string(dataKey) {
			return fmt.Errorf("tinkkms: probe of %s: %w: it opened another key than it had wrapped", k.uri, keymgr.ErrConfig)
		}
		return nil
	}
	if err := opens(); err != nil {
		return err
	}
	elsewhere, refused := k.Unwrap(ctx, wrapped, probe("b"))
	if refused == nil {
		clear(elsewhere)
		return fmt.Errorf("tinkkms: probe of %s: %w: it does not bind its associated data: what one scope wrapped opens in another", k.uri, keymgr.ErrConfig)
	}
	return opens()
}
