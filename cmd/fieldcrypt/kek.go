package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/localkms"
)

const kekHelp = `KEKs:
  aws-kms:///alias/NAME?region=REGION       a key of AWS KMS by its alias or id
  aws-kms://arn:aws:kms:REGION:...          or by its ARN
  local:///PATH, local:PATH                 a key in a file of mode 0600
  env:NAME                                  a key in an environment variable
An AWS URI may add endpoint=http://127.0.0.1:PORT, for a KMS on this machine.`

// kekFlags name KMS keys.
type kekFlags struct {
	uris   []string
	create bool // key files that are missing
}

func (f *kekFlags) register(fs *pflag.FlagSet, usage string) {
	// Not a slice flag: an URI may hold a comma.
	fs.StringArrayVar(&f.uris, "kek", nil, usage)
}

func (f *kekFlags) registerCreate(fs *pflag.FlagSet) {
	fs.BoolVar(&f.create, "create-key-file", false, "make the file of a local: KEK if it is missing")
}

// open opens the KEKs without calling a KMS. notes is told of key files made.
func (f *kekFlags) open(ctx context.Context, notes io.Writer) ([]keymgr.KEK, error) {
	if len(f.uris) == 0 {
		return nil, usagef("which KMS key? Give --kek")
	}
	return openKEKs(ctx, f.uris, f.create, notes)
}

func openKEKs(ctx context.Context, uris []string, create bool, notes io.Writer) ([]keymgr.KEK, error) {
	var keks []keymgr.KEK
	for _, uri := range uris {
		k, err := openKEK(ctx, uri, create, notes)
		if err != nil {
			return nil, err
		}
		keks = append(keks, k)
	}
	return keks, nil
}

func uris(keks []keymgr.KEK) []string {
	list := make([]string, len(keks))
	for i, k := range keks {
		list[i] = k.URI()
	}
	return list
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// openKEK opens a KEK. Where the URI is not understood it may be a key, pasted
// by mistake, so errors do not repeat it.
func openKEK(ctx context.Context, uri string, create bool, notes io.Writer) (keymgr.KEK, error) {
	scheme, rest, _ := strings.Cut(uri, ":")
	switch scheme {
	case "aws-kms":
		return openAWSKey(ctx, uri)
	case "local":
		path, err := filePath(scheme, rest)
		if err != nil {
			return nil, err
		}
		return openKeyFile(path, create, notes)
	case "env":
		if !variableName.MatchString(rest) {
			return nil, usagef("env: wants the name of an environment variable, not its value: env:NAME")
		}
		return localkms.FromEnv(rest)
	case "local-kms":
		return nil, usagef("%s is how the database names a key file, by the key's fingerprint: say where the key is, with local:///PATH or env:NAME", uri)
	}
	return nil, usagef("that is no KEK: want aws-kms:///alias/NAME?region=REGION, aws-kms://ARN, local:///PATH or env:NAME")
}

func openKeyFile(path string, create bool, notes io.Writer) (keymgr.KEK, error) {
	kek, err := localkms.Open(path)
	switch {
	case !errors.Is(err, fs.ErrNotExist):
	case !create:
		return nil, withCure(err, "if it was lost, put it back from its copy: nothing else opens what it wrapped; where a new key is wanted, --create-key-file makes one")
	default:
		if kek, err = localkms.OpenOrCreate(path); err == nil {
			fmt.Fprintf(notes, "made the key file %s: keep a copy of it, apart from the database and its backups\n", plain(path))
		}
	}
	if err != nil {
		return nil, err
	}
	return kek, nil
}

// planned returns the URIs under which the store knows the KEKs, and finds what
// is wrong with them. It makes nothing and calls nothing: a key file that is yet
// to be made is named by its path.
func (f *kekFlags) planned(ctx context.Context) ([]string, error) {
	if len(f.uris) == 0 {
		return nil, usagef("which KMS key? Give --kek")
	}
	var names []string
	for _, uri := range f.uris {
		k, err := openKEK(ctx, uri, false, io.Discard)
		switch {
		case err == nil:
			uri = k.URI()
		case f.create && errors.Is(err, fs.ErrNotExist):
			uri = "a new key in " + strings.TrimPrefix(strings.TrimPrefix(uri, "local:"), "//")
		default:
			return nil, err
		}
		if slices.Contains(names, uri) {
			return nil, usagef("--kek names %s twice", uri)
		}
		names = append(names, uri)
	}
	return names, nil
}
