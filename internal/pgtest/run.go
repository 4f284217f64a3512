package pgtest

import "os"

// Run starts a server for a program that is no test, such as an example, and
// returns the URL of a database and what stops the server; or the URL that EnvURL
// names, whose server stays.
func Run() (url string, stop func(), err error) {
	if admin := os.Getenv(EnvURL); admin != "" {
		return admin, func() {}, nil
	}
	l, err := launch(Options{})
	if err != nil {
		return "", nil, err
	}
	return l.url(), l.stop, nil
}
