package main

import (
	"context"
	"os/user"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"github.com/fieldcrypt/go/keymgr"
)

// maxActor is what keymgr logs of a name, in bytes.
const maxActor = 256

// actorFlag says who changes keys, for the log in fieldcrypt_key_events. Nothing
// checks it: it is as true as the operator.
type actorFlag struct{ name string }

func (f *actorFlag) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.name, "actor", "", "`NAME` for the log of key changes (default: the user of the operating system)")
}

func (f *actorFlag) context(ctx context.Context) (context.Context, error) {
	name := f.name
	if name == "" {
		u, err := user.Current()
		if err != nil {
			return nil, usagef("the operating system does not say who you are: give --actor")
		}
		name = u.Username
	}
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	if len(name) > maxActor || !utf8.ValidString(name) || strings.ContainsFunc(name, unprintable) {
		return nil, usagef("--actor: at most %d bytes of printable text", maxActor)
	}
	return keymgr.WithActor(ctx, name), nil
}
