package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
)

// The environment that the command prints is all that an SDK needs.
func TestCommand(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals to send there")
	}
	bin := filepath.Join(t.TempDir(), "awskmstest")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		cmd := exec.Command(bin, "--region", "eu-west-1", "--account", "444455556666", "--alias", "alias/medical-key", "--alias", "alias/finance-key")
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(stdout)
		for range 4 {
			if !lines.Scan() {
				t.Fatal("it ended before it printed its environment")
			}
			name, value, ok := strings.Cut(lines.Text(), "=")
			if !ok {
				t.Fatalf("line %q", lines.Text())
			}
			t.Setenv(name, value)
		}
		none := filepath.Join(t.TempDir(), "none")
		for name, value := range map[string]string{"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_PROFILE": "", "AWS_SESSION_TOKEN": ""} {
			t.Setenv(name, value)
		}
		cfg, err := config.LoadDefaultConfig(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, alias := range []string{"alias/medical-key", "alias/finance-key"} {
			out, err := kms.NewFromConfig(cfg).GenerateDataKey(t.Context(), &kms.GenerateDataKeyInput{KeyId: aws.String(alias), KeySpec: "AES_256"})
			if err != nil || !strings.HasPrefix(*out.KeyId, "arn:aws:kms:eu-west-1:444455556666:key/") {
				t.Errorf("%s: %v", alias, err)
			}
		}
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v", signal, err)
		}
	}
}

func TestBadArguments(t *testing.T) {
	for _, args := range [][]string{
		{"--region", "Europe"}, {"--account", "1"}, {"--addr", "127.0.0.1:-1"}, {"--alias", "medical"}, {"--alias", "alias/a", "--alias", "alias/a"}, {"--nothing"}, {"x"},
	} {
		var out bytes.Buffer
		if err := run(t.Context(), args, &out, &out); err == nil {
			t.Errorf("%v was accepted", args)
		}
		if strings.Contains(out.String(), "AWS_ENDPOINT") {
			t.Errorf("%v: it printed an environment", args)
		}
	}
}
