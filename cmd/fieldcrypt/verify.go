package main

import (
	"context"
	"io"

	"github.com/spf13/pflag"

	"github.com/fieldcrypt/go/keymgr"
)

const verifyHelp = `This reads the database alone and believes it. With --verify the keysets are
opened through the KMS, under the KEKs that --kek names and no others: then the
version and the keys, with their states and times, are authentic. The times of
the row itself and the other KEKs in it never are.`

// verifyFlags ask to open what is shown.
type verifyFlags struct {
	verify bool
	keks   kekFlags
}

func (f *verifyFlags) register(fs *pflag.FlagSet) {
	fs.BoolVar(&f.verify, "verify", false, "open the keysets through the KMS")
	f.keks.register(fs, "`URI` of a KMS key that may open them, with --verify; repeat it for several")
}

// open returns the KEKs to verify with, nil if that was not asked for.
func (f *verifyFlags) open(ctx context.Context) ([]keymgr.KEK, error) {
	if f.verify {
		return f.keks.open(ctx, io.Discard)
	}
	if len(f.keks.uris) > 0 {
		return nil, usagef("--kek goes with --verify: without it no KMS is needed")
	}
	return nil, nil
}

// note is what to tell people about what they see.
func (f *verifyFlags) note() string {
	if f.verify {
		return ""
	}
	return "unverified: this is what the database says; --verify --kek URI opens the keysets\n"
}

// verify opens the very record that was read, not what is stored by now.
func verify(ctx context.Context, r keymgr.Record, keks []keymgr.KEK) error {
	m, err := openManager(ctx, single{record: r}, r.Scope, keymgr.Domain{KEKs: keks}, io.Discard)
	if err != nil {
		return err
	}
	defer m.Close()
	_, err = m.Keys(ctx, r.Scope)
	return err
}

// single is a store of one record that can only be loaded.
type single struct {
	keymgr.Store
	record keymgr.Record
}

func (s single) Load(context.Context, keymgr.Scope) (keymgr.Record, error) { return s.record, nil }
