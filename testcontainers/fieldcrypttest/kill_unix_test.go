//go:build unix

package fieldcrypttest_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"

	"github.com/fieldcrypt/go/testcontainers/fieldcrypttest"
)

// childRole makes the test binary a process that waits to be killed.
const childRole = "FIELDCRYPTTEST_CHILD"

// TestChild is what a child runs.
func TestChild(t *testing.T) {
	if os.Getenv(childRole) == "" {
		t.Skip("only as a child of the other tests")
	}
	o := fieldcrypttest.Options{Models: []any{&Patient{}}}
	if image := os.Getenv(envKMSImage); image != "" {
		o.KMS = &fieldcrypttest.KMSContainer{Image: image, Port: 8080}
	}
	env := fieldcrypttest.Start(t, o)
	ok(t, env.GORM.Create(&Patient{MRN: "MRN-1042"}).Error)
	fmt.Printf("ready %s\n", env.URL)
	bufio.NewReader(os.Stdin).ReadString('\n')
}

// startChild returns when the child has an environment.
func startChild(t *testing.T) (cmd *exec.Cmd, url string) {
	t.Helper()
	self, err := os.Executable()
	ok(t, err)
	cmd = exec.Command(self, "-test.run=^TestChild$", "-test.v")
	cmd.Env = append(os.Environ(), childRole+"=1")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	ok(t, err)
	stdout, err := cmd.StdoutPipe()
	ok(t, err)
	ok(t, cmd.Start())
	t.Cleanup(func() {
		stdin.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if url, ready := strings.CutPrefix(lines.Text(), "ready "); ready {
			return cmd, url
		}
		t.Log(lines.Text())
	}
	t.Fatal("the child ended before it was ready")
	return nil, ""
}

// containers lists ours, or none where there is no engine.
func containers(t *testing.T) map[string]bool {
	t.Helper()
	ids := map[string]bool{}
	if os.Getenv(fieldcrypttest.EnvImage) == "" {
		return ids
	}
	c, err := testcontainers.NewDockerClientWithOpts(ctx)
	ok(t, err)
	defer c.Close()
	list, err := c.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: make(client.Filters).Add("label", "com.github.fieldcrypt.go.test")})
	ok(t, err)
	for _, item := range list.Items {
		ids[item.ID] = true
	}
	return ids
}

// TestKilledProcessLeavesNoServer: kill -9 in the middle of a test; the next run
// works, and neither server nor container is left.
func TestKilledProcessLeavesNoServer(t *testing.T) {
	if logOutOfReach() {
		t.Skip("the server is not ours")
	}
	before := containers(t)
	cmd, url := startChild(t)
	if os.Getenv(fieldcrypttest.EnvImage) != "" && len(containers(t)) == len(before) {
		t.Error("the child has no container")
	}
	ok(t, cmd.Process.Kill())
	cmd.Wait()

	next, nextURL := startChild(t)
	conn, err := pgx.Connect(ctx, nextURL)
	ok(t, err)
	ok(t, conn.Close(ctx))
	ok(t, next.Process.Kill())
	next.Wait()

	within, cancel := context.WithTimeout(ctx, time.Minute) // some seconds are the rule
	defer cancel()
	for {
		_, err := pgx.Connect(within, url)
		left := 0
		for id := range containers(t) {
			if !before[id] {
				left++
			}
		}
		switch {
		case err != nil && left == 0:
			return
		case within.Err() != nil:
			t.Fatalf("connecting to the killed process's server: %v; %d containers are left", err, left)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
