package fieldcrypttest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/testcontainers/testcontainers-go"
	tclog "github.com/testcontainers/testcontainers-go/log"
)

// engine returns the container engine of this machine, asked for once.
var engine = sync.OnceValues(findEngine)

func findEngine() (p *testcontainers.DockerProvider, err error) {
	defer func() {
		if r := recover(); r != nil { // testcontainers-go panics where it finds none
			p, err = nil, fmt.Errorf("%w: %v", errEngine, r)
		}
	}()
	p, err = testcontainers.NewDockerProvider(testcontainers.WithLogger(tclog.NewNoopLogger()))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errEngine, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := p.Health(ctx); err != nil {
		p.Close()
		return nil, fmt.Errorf("%w: %w", errEngine, err)
	}
	return p, nil
}
