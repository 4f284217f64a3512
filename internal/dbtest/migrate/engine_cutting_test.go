package migrate_test

import (
	"bytes"
	"context"
	"net"
	"sync/atomic"
)

// cutting makes connections of which the first breaks that sends some text, after
// it has.
func cutting(text string, cut *atomic.Bool) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &breaking{conn, []byte(text), cut}, nil
	}
}

type breaking struct {
	net.Conn
	text []byte
	cut  *atomic.Bool
}

func (c *breaking) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if bytes.Contains(b, c.text) && c.cut.CompareAndSwap(false, true) {
		c.Conn.Close()
	}
	return n, err
}
