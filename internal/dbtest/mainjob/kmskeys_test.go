package mainjob_test

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/kms"
)

// keyID resolves an alias: state changes want the key itself, as in AWS.
func keyID(ctx context.Context, c *kms.Client, alias string) (*string, error) {
	out, err := c.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &alias})
	if err != nil {
		return nil, err
	}
	return out.KeyMetadata.KeyId, nil
}

func disable(ctx context.Context, c *kms.Client, alias string) error {
	id, err := keyID(ctx, c, alias)
	if err == nil {
		_, err = c.DisableKey(ctx, &kms.DisableKeyInput{KeyId: id})
	}
	return err
}

func enable(ctx context.Context, c *kms.Client, alias string) error {
	id, err := keyID(ctx, c, alias)
	if err == nil {
		_, err = c.EnableKey(ctx, &kms.EnableKeyInput{KeyId: id})
	}
	return err
}

func scheduleDeletion(ctx context.Context, c *kms.Client, alias string) error {
	id, err := keyID(ctx, c, alias)
	if err == nil {
		_, err = c.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: id})
	}
	return err
}

func cancelDeletion(ctx context.Context, c *kms.Client, alias string) error {
	id, err := keyID(ctx, c, alias)
	if err == nil {
		_, err = c.CancelKeyDeletion(ctx, &kms.CancelKeyDeletionInput{KeyId: id})
	}
	if err != nil {
		return err
	}
	return enable(ctx, c, alias) // AWS leaves the key disabled
}
