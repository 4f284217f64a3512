package main

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go/middleware"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/awskms"
	"github.com/fieldcrypt/go/keymgr/localkms"
)

// keyService has the two KMS keys of the run, and counts what they are asked.
type keyService struct {
	name          string // for people
	first, second keymgr.KEK
	calls         atomic.Int64
}

func openKeyService(ctx context.Context, o options, dir string) (*keyService, error) {
	if o.kms != "" {
		return openAWS(ctx, o)
	}
	first, err := localkms.OpenOrCreate(filepath.Join(dir, "first.key"))
	if err != nil {
		return nil, err
	}
	second, err := localkms.OpenOrCreate(filepath.Join(dir, "second.key"))
	if err != nil {
		return nil, err
	}
	s := &keyService{name: "a key file"}
	s.first, s.second = counted{first, &s.calls}, counted{second, &s.calls}
	return s, nil
}

func openAWS(ctx context.Context, o options) (*keyService, error) {
	cfg, err := awsConfig(ctx, o)
	if err != nil {
		return nil, err
	}
	s := &keyService{name: "AWS KMS"}
	if o.kms != kmsAWS {
		s.name = "the KMS at " + o.kms
		setUp := kms.NewFromConfig(cfg)
		for _, alias := range []string{o.kek, o.kek2} {
			if err := makeIfMissing(ctx, setUp, alias); err != nil {
				return nil, err
			}
		}
	}
	cfg.APIOptions = append(cfg.APIOptions, s.countCalls)
	key := func(name string) keymgr.KEK {
		return awskms.Key(kms.NewFromConfig(cfg, func(ko *kms.Options) {
			if a, err := arn.Parse(name); err == nil {
				ko.Region = a.Region
			}
		}), name)
	}
	s.first, s.second = key(o.kek), key(o.kek2)
	return s, nil
}

// The made-up credentials of the AWS manual, and a region, for an endpoint on
// this machine.
const (
	exampleKeyID  = "AKIAIOSFODNN7EXAMPLE"
	exampleSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	exampleRegion = "us-east-1"
)

func awsConfig(ctx context.Context, o options) (aws.Config, error) {
	env, err := config.NewEnvConfig()
	if err != nil {
		return aws.Config{}, err
	}
	if o.loopback && !env.Credentials.HasKeys() {
		return aws.Config{
			Region:       orDefault(env.Region, exampleRegion),
			BaseEndpoint: aws.String(o.kms),
			Credentials:  credentials.NewStaticCredentialsProvider(exampleKeyID, exampleSecret, ""),
		}, nil
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return aws.Config{}, err
	}
	if o.kms != kmsAWS {
		cfg.BaseEndpoint = aws.String(o.kms)
		cfg.Region = orDefault(cfg.Region, exampleRegion)
	}
	return cfg, nil
}

// makeIfMissing makes a KMS key for an alias that does not exist.
func makeIfMissing(ctx context.Context, client *kms.Client, alias string) error {
	_, err := client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String(alias)})
	if missing := (*types.NotFoundException)(nil); !errors.As(err, &missing) {
		return err
	}
	made, err := client.CreateKey(ctx, &kms.CreateKeyInput{Description: aws.String("fieldcrypt quickstart")})
	if err != nil {
		return err
	}
	_, err = client.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String(alias), TargetKeyId: made.KeyMetadata.KeyId})
	return err
}

// countCalls counts the calls of an SDK client.
func (s *keyService) countCalls(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("quickstart.CountCalls",
		func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			s.calls.Add(1)
			return next.HandleInitialize(ctx, in)
		}), middleware.Before)
}

// counted counts the calls of a KEK that is no client of a service.
type counted struct {
	keymgr.KEK
	calls *atomic.Int64
}

func (c counted) GenerateDataKey(ctx context.Context, wc keymgr.WrapContext) (plaintext, wrapped []byte, err error) {
	c.calls.Add(1)
	return c.KEK.GenerateDataKey(ctx, wc)
}

func (c counted) Wrap(ctx context.Context, plaintext []byte, wc keymgr.WrapContext) ([]byte, error) {
	c.calls.Add(1)
	return c.KEK.Wrap(ctx, plaintext, wc)
}

func (c counted) Unwrap(ctx context.Context, wrapped []byte, wc keymgr.WrapContext) ([]byte, error) {
	c.calls.Add(1)
	return c.KEK.Unwrap(ctx, wrapped, wc)
}
