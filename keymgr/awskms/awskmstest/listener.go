package awskmstest

import (
	"net"
	"sync"
)

// listener can play dead. It keeps its port while it does, so that the server
// comes back at the same address: connections are accepted and reset.
type listener struct {
	net.Listener
	mu    sync.Mutex
	down  bool
	conns map[*conn]struct{}
}

type conn struct {
	net.Conn
	of *listener
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if tracked, ok := l.admit(c); ok {
			return tracked, nil
		}
		reset(c)
	}
}

func (l *listener) admit(c net.Conn) (net.Conn, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return nil, false
	}
	tracked := &conn{Conn: c, of: l}
	l.conns[tracked] = struct{}{}
	return tracked, true
}

// setDown refuses new connections and resets those that are open, or ends that.
func (l *listener) setDown(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
	if down {
		for c := range l.conns {
			reset(c.Conn)
		}
	}
}

func (c *conn) Close() error {
	c.of.mu.Lock()
	delete(c.of.conns, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// reset closes a connection with RST in place of FIN.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
