package main

import (
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/fieldcrypt/go/fieldcrypt"
)

// databaseGone reports whether an error says that the database cannot be reached,
// is starting, stopping or full: what may pass by itself. A write may have
// happened all the same, if the answer was lost.
func databaseGone(err error) bool {
	connect, network, refused := (*pgconn.ConnectError)(nil), (*net.OpError)(nil), (*pgconn.PgError)(nil)
	switch {
	case errors.Is(err, fieldcrypt.ErrStoreUnavailable), errors.Is(err, driver.ErrBadConn),
		errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.As(err, &connect), errors.As(err, &network):
		return true
	case errors.As(err, &refused):
		// Connection exceptions, insufficient resources, operator intervention.
		for _, class := range []string{"08", "53", "57P"} {
			if strings.HasPrefix(refused.Code, class) {
				return true
			}
		}
	}
	return false
}
