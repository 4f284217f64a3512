package fieldcrypttest

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/moby/moby/api/types/container"
	"github.com/testcontainers/testcontainers-go"
	tclog "github.com/testcontainers/testcontainers-go/log"

	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

// KMSContainer is a server that speaks the protocol of AWS KMS, for example
//
//	KMSContainer{Image: "localstack/localstack", Port: 4566}
type KMSContainer struct {
	// Image is required.
	Image string
	// Port is the TCP port inside the container. Required.
	Port int
	// Path is that of the service's endpoint. Defaults to "/".
	Path string
	// Env are environment variables of the container.
	Env map[string]string
	// Region is that for which requests are signed. Defaults to "us-east-1".
	Region string
	// Credentials sign the requests. Default to awskmstest's.
	Credentials aws.Credentials
}

// containerKMS is a KMS in a container, with failures made on the way to it.
type containerKMS struct {
	*faults
	t      testing.TB
	url    string
	region string
	creds  aws.Credentials
	direct *kms.Client // past the failures, not counted
}

func startKMSContainer(t testing.TB, o KMSContainer, pg *server) KMS {
	t.Helper()
	ctx := context.Background()
	if o.Image == "" || o.Port <= 0 || o.Port > 65535 {
		t.Fatal("fieldcrypttest: Options.KMS needs an Image and a Port")
	}
	if _, err := engine(); err != nil {
		t.Fatalf("fieldcrypttest: a KMS in a container: %v", err)
	}
	port := strconv.Itoa(o.Port) + "/tcp"
	ctr, err := testcontainers.Run(ctx, o.Image,
		testcontainers.WithLogger(tclog.NewNoopLogger()),
		testcontainers.WithExposedPorts(port),
		testcontainers.WithEnv(o.Env),
		testcontainers.WithLabels(map[string]string{label: "kms"}),
		testcontainers.WithHostConfigModifier(func(c *container.HostConfig) {
			c.AutoRemove = true
			if pg.container != "" {
				// When the first process of a namespace ends, so do all others:
				// this container goes with that of Postgres, which goes with us.
				c.PidMode = container.PidMode("container:" + pg.container)
			}
		}),
	)
	if ctr != nil {
		t.Cleanup(func() {
			var now time.Duration
			if err := ctr.Stop(context.Background(), &now); err != nil { // and the engine removes it
				t.Errorf("fieldcrypttest: the KMS in a container: %v", err)
			}
		})
	}
	var endpoint string
	if err == nil {
		endpoint, err = ctr.PortEndpoint(ctx, port, "http")
	}
	if err != nil {
		t.Fatalf("fieldcrypttest: a container of %s: %v", o.Image, err)
	}
	k := &containerKMS{t: t, url: strings.TrimSuffix(endpoint+"/"+strings.TrimPrefix(o.Path, "/"), "/"), region: cmp.Or(o.Region, "us-east-1"), creds: o.Credentials}
	if k.creds.AccessKeyID == "" {
		k.creds = aws.Credentials{AccessKeyID: awskmstest.DefaultAccessKeyID, SecretAccessKey: awskmstest.DefaultSecretAccessKey}
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	k.direct = k.client(transport)
	k.faults = &faults{next: transport, resolve: k.resolve}
	if err := k.await(ctx); err != nil {
		t.Fatalf("fieldcrypttest: the KMS in a container of %s does not answer: %v", o.Image, err)
	}
	return k
}

// await returns when the service answers, or is too late.
func (k *containerKMS) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		_, err := k.direct.ListKeys(ctx, &kms.ListKeysInput{})
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (k *containerKMS) client(rt http.RoundTripper, optFns ...func(*kms.Options)) *kms.Client {
	return kms.New(kms.Options{
		Region:       k.region,
		BaseEndpoint: &k.url,
		Credentials:  credentials.StaticCredentialsProvider{Value: k.creds},
		HTTPClient:   &http.Client{Transport: rt},
		Retryer:      aws.NopRetryer{},
	}, optFns...)
}

func (k *containerKMS) URL() string    { return k.url }
func (k *containerKMS) Region() string { return k.region }

func (k *containerKMS) Client(optFns ...func(*kms.Options)) *kms.Client {
	return k.client(k.faults, optFns...)
}

func (k *containerKMS) CreateKey(aliases ...string) string {
	k.t.Helper()
	ctx := context.Background()
	out, err := k.direct.CreateKey(ctx, &kms.CreateKeyInput{})
	if err != nil {
		k.t.Fatalf("fieldcrypttest: CreateKey: %v", err)
	}
	for _, alias := range aliases {
		if _, err := k.direct.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: &alias, TargetKeyId: out.KeyMetadata.KeyId}); err != nil {
			k.t.Fatalf("fieldcrypttest: CreateAlias %s: %v", alias, err)
		}
	}
	return aws.ToString(out.KeyMetadata.Arn)
}

// resolve returns the id of a key that is named in any way.
func (k *containerKMS) resolve(ctx context.Context, key string) (string, error) {
	out, err := k.direct.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &key})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.KeyMetadata.KeyId), nil
}

// Deny implements KMS.
func (k *containerKMS) Deny(key string) { k.setDenied(key, true) }

// Allow implements KMS.
func (k *containerKMS) Allow(key string) { k.setDenied(key, false) }

func (k *containerKMS) setDenied(key string, denied bool) {
	k.t.Helper()
	id, err := k.resolve(context.Background(), key)
	if err != nil {
		k.t.Fatal(fmt.Errorf("fieldcrypttest: Deny or Allow %s: %w", key, err))
	}
	k.faults.setDenied(id, denied)
}
