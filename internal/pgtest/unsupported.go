//go:build !unix

package pgtest

// local is a server that this process started: not on this system, where
// FIELDCRYPT_TEST_POSTGRES_URL is the only way.
type local struct{ version string }

func launch(Options) (*local, error) { return nil, ErrMissing }

func (*local) url() string             { return "" }
func (*local) running() bool           { return false }
func (*local) stop()                   {}
func (*local) log(int) ([]byte, error) { return nil, ErrMissing }
