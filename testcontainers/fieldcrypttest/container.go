package fieldcrypttest

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	tclog "github.com/testcontainers/testcontainers-go/log"
	"github.com/testcontainers/testcontainers-go/modules/postgres"
)

// watchScript is a container's first process. It ends, and with it the
// container, when its stdin does: at the other end is this process.
//
//go:embed watch.sh
var watchScript string

// settings trade durability, of which these servers need none, for speed.
var settings = []string{
	"fsync=off", "synchronous_commit=off", "full_page_writes=off",
	"max_connections=200", "timezone=UTC",
}

// label marks our containers.
const label = "com.github.fieldcrypt.go.test"

// dataFolder is in memory. It is not the image's own, which some images insist on
// being a volume.
const dataFolder = "/fieldcrypt"

// startContainer starts a Postgres that lives as long as this process.
func startContainer(ctx context.Context, image string) (*server, error) {
	p, err := engine()
	if err != nil {
		return nil, err
	}
	if err := sweep(ctx, p.Client()); err != nil {
		return nil, err
	}
	command := []string{"postgres"}
	for _, s := range settings {
		command = append(command, "-c", s)
	}
	for name, value := range logSettings {
		command = append(command, "-c", name+"="+value)
	}
	output := &output{}
	ctr, err := postgres.Run(ctx, image,
		testcontainers.WithLogger(tclog.NewNoopLogger()),
		postgres.WithPassword(rand.Text()),
		testcontainers.WithEnv(map[string]string{"PGDATA": dataFolder + "/data"}),
		testcontainers.WithTmpfs(map[string]string{dataFolder: ""}),
		testcontainers.WithEntrypoint("/bin/sh", "-c", watchScript, "watch.sh"),
		testcontainers.WithCmd(command...),
		testcontainers.WithLabels(map[string]string{label: "postgres"}),
		testcontainers.WithConfigModifier(func(c *container.Config) {
			c.OpenStdin, c.StdinOnce, c.AttachStdin = true, true, true
		}),
		testcontainers.WithHostConfigModifier(func(c *container.HostConfig) { c.AutoRemove = true }),
		testcontainers.WithLifecycleHooks(testcontainers.ContainerLifecycleHooks{
			PostCreates: []testcontainers.ContainerHook{func(ctx context.Context, c testcontainers.Container) error {
				return output.attach(ctx, p.Client(), c.GetContainerID())
			}},
		}),
	)
	if err == nil {
		err = output.await(ctx, ctr)
	}
	if err != nil {
		output.detach() // which ends what there is
		return nil, fmt.Errorf("a container of %s: %w: set %s to an image that can be had, or %s or %s\n%s",
			image, err, EnvImage, EnvURL, EnvBin, output.tail())
	}
	url, err := ctr.ConnectionString(ctx, "sslmode=disable")
	if err != nil {
		output.detach()
		return nil, err
	}
	return &server{what: "a container of " + image, url: url, log: output.text, container: ctr.GetContainerID()}, nil
}

// sweep removes what a process has left that was killed between making a
// container and starting it. All others end by themselves.
func sweep(ctx context.Context, c client.APIClient) error {
	filters := make(client.Filters).Add("label", label).Add("status", "created")
	list, err := c.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filters})
	if err != nil {
		return err
	}
	for _, left := range list.Items {
		if time.Since(time.Unix(left.Created, 0)) > time.Minute {
			// Another process may be removing it just now.
			c.ContainerRemove(ctx, left.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		}
	}
	return nil
}

// output is what a container prints, and our hold on it.
type output struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	conn  *client.HijackedResponse // must stay reachable: a garbage collected connection is closed
	ended chan struct{}
}

// attach takes hold of a container that does not run yet.
func (o *output) attach(ctx context.Context, c client.APIClient, id string) error {
	r, err := c.ContainerAttach(ctx, id, client.ContainerAttachOptions{Stream: true, Stdin: true, Stdout: true, Stderr: true})
	if err != nil {
		return err
	}
	o.conn, o.ended = &r.HijackedResponse, make(chan struct{})
	go func() {
		defer close(o.ended)
		stdcopy.StdCopy(o, o, r.Reader)
	}()
	return nil
}

func (o *output) detach() {
	if o.conn != nil {
		o.conn.Close()
	}
}

// Write implements io.Writer.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

// text returns a copy of what was printed from a byte on.
func (o *output) text(from int) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.buf.Bytes()[from:]), nil
}

// tail is the end of what was printed, for an error.
func (o *output) tail() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.buf.Bytes()
	return b[max(0, len(b)-2000):]
}

// await returns when the server answers, has ended or is too late. While it is
// being set up, servers of images listen on no port. Connecting costs the machine
// more than looking at what was printed, so it does that seldom before Postgres
// says that it listens.
func (o *output) await(ctx context.Context, ctr *postgres.PostgresContainer) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	url, err := ctr.ConnectionString(ctx, "sslmode=disable", "connect_timeout=5")
	if err != nil {
		return err
	}
	for tried := time.Now(); ; {
		if o.contains("listening on IP") || time.Since(tried) > time.Second {
			var conn *pgx.Conn
			if conn, err = pgx.Connect(ctx, url); err == nil {
				return conn.Close(ctx)
			}
			tried = time.Now()
		}
		select {
		case <-o.ended:
			return errors.New("it ended")
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (o *output) contains(text string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Contains(o.buf.Bytes(), []byte(text))
}
