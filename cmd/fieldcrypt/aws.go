package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/awskms"
)

// awsKey is what an aws-kms: URI says.
type awsKey struct {
	id       string // key id, alias or ARN
	region   string // "": the SDK's
	endpoint string // "": the SDK's
}

func parseAWSKey(uri string) (awsKey, error) {
	wrong := func(format string, args ...any) (awsKey, error) {
		return awsKey{}, usage(fmt.Errorf("%s: "+format, append([]any{uri}, args...)...))
	}
	name, query, _ := strings.Cut(uri, "?")
	name, ok := strings.CutPrefix(name, "aws-kms://")
	k := awsKey{id: strings.TrimPrefix(name, "/")}
	byARN := strings.HasPrefix(name, "arn:")
	if !ok || k.id == "" || !byARN && name == k.id {
		return wrong("want aws-kms:///alias/NAME?region=REGION or aws-kms://ARN")
	}
	if byARN {
		a, err := arn.Parse(k.id)
		if err != nil {
			return wrong("that is no ARN")
		}
		k.region = a.Region
	}
	params, err := url.ParseQuery(query)
	if err != nil {
		return wrong("the parameters do not parse")
	}
	for param, values := range params {
		switch {
		case len(values) > 1 || values[0] == "":
			return wrong("one value for %s, please", param)
		case param == "region" && byARN:
			return wrong("the ARN names the region")
		case param == "region":
			k.region = values[0]
		case param == "endpoint" && !loopback(values[0]):
			return wrong("endpoint is for a KMS on this machine, such as http://127.0.0.1:4566; for others set AWS_ENDPOINT_URL_KMS")
		case param == "endpoint":
			k.endpoint = values[0]
		default:
			return wrong("unknown parameter %s: there are region and endpoint", param)
		}
	}
	return k, nil
}

func loopback(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return false
	}
	return u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback()
}

// openAWSKey uses the SDK's default chain for all that the URI does not say.
func openAWSKey(ctx context.Context, uri string, settings ...func(*kms.Options)) (keymgr.KEK, error) {
	k, err := parseAWSKey(uri)
	if err != nil {
		return nil, err
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(k.region)) // "" changes nothing
	if err != nil {
		return nil, fmt.Errorf("%w: %w", keymgr.ErrConfig, err)
	}
	if cfg.Region == "" {
		return nil, usagef("%s: which region? Add ?region=REGION, or set AWS_REGION", uri)
	}
	kek := awskms.Key(kms.NewFromConfig(cfg, func(o *kms.Options) {
		if k.endpoint != "" {
			o.BaseEndpoint = aws.String(k.endpoint)
		}
		for _, set := range settings {
			set(o)
		}
	}), k.id)
	// A KEK that can never work says so in every method; this one makes no call
	// for a data key of no bytes.
	if _, err := kek.Wrap(ctx, nil, keymgr.WrapContext{}); errors.Is(err, keymgr.ErrConfig) {
		return nil, err
	}
	return kek, nil
}
