//go:build unix

package fieldcrypttest_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
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
	fmt.Printf("ready %s %s\n", env.URL, env.KMS.URL())
	bufio.NewReader(os.Stdin).ReadString('\n')
}

// startChild returns when the child has an environment, with the URLs of its
// database and its KMS.
func startChild(t *testing.T) (cmd *exec.Cmd, urls string) {
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
		if urls, ready := strings.CutPrefix(lines.Text(), "ready "); ready {
			return cmd, urls
		}
		t.Log(lines.Text())
	}
	t.Fatal("the child ended before it was ready")
	return nil, ""
}

// containers lists ours, each with the addresses of this machine under which it is
// reached; none where there is no engine.
func containers(t *testing.T) map[string][]string {
	t.Helper()
	if os.Getenv(fieldcrypttest.EnvImage) == "" {
		return nil
	}
	c, err := testcontainers.NewDockerClientWithOpts(ctx)
	ok(t, err)
	defer c.Close()
	list, err := c.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: make(client.Filters).Add("label", "com.github.fieldcrypt.go.test")})
	ok(t, err)
	all := map[string][]string{}
	for _, item := range list.Items {
		all[item.ID] = nil
		for _, p := range item.Ports {
			all[item.ID] = append(all[item.ID], fmt.Sprintf(":%d/", p.PublicPort))
		}
	}
	return all
}

// TestKilledProcessLeavesNoServer: kill -9 in the middle of a test; the next run
// works, and neither server nor container is left.
func TestKilledProcessLeavesNoServer(t *testing.T) {
	if logOutOfReach() {
		t.Skip("the server is not ours")
	}
	cmd, urls := startChild(t)
	children := map[string]bool{} // others may run tests at the same time
	for id, addresses := range containers(t) {
		if slices.ContainsFunc(addresses, func(a string) bool { return strings.Contains(urls+"/", a) }) {
			children[id] = true
		}
	}
	if os.Getenv(fieldcrypttest.EnvImage) != "" && len(children) == 0 {
		t.Error("the child has no container")
	}
	ok(t, cmd.Process.Kill())
	cmd.Wait()
	killed := time.Now()

	url, _, _ := strings.Cut(urls, " ")
	next, nextURLs := startChild(t)
	nextURL, _, _ := strings.Cut(nextURLs, " ")
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
			if children[id] {
				left++
			}
		}
		switch {
		case err != nil && left == 0:
			t.Logf("with the next run in between, all was gone after %v", time.Since(killed).Round(time.Millisecond))
			return
		case within.Err() != nil:
			t.Fatalf("connecting to the killed process's server: %v; %d containers are left", err, left)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
