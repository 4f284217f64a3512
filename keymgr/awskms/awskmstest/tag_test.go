package awskmstest_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

func TestTags(t *testing.T) {
	srv := awskmstest.Start(t)
	arn, client, ctx := srv.CreateKey("alias/a"), srv.Client(), t.Context()
	set := func(tags ...types.Tag) string {
		_, err := client.TagResource(ctx, &kms.TagResourceInput{KeyId: &arn, Tags: tags})
		return code(err)
	}
	unset := func(keys ...string) string {
		_, err := client.UntagResource(ctx, &kms.UntagResourceInput{KeyId: &arn, TagKeys: keys})
		return code(err)
	}
	list := func() (s string) {
		for pages := kms.NewListResourceTagsPaginator(client, &kms.ListResourceTagsInput{KeyId: &arn, Limit: aws.Int32(1)}); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, tag := range page.Tags {
				s += *tag.TagKey + "=" + *tag.TagValue + " "
			}
		}
		return s
	}
	for i, c := range []struct{ got, want string }{
		{set(tag("b", "1"), tag("a", "")), ""},
		{set(tag("b", "2"), tag("c", "3")), ""},
		{set(tag("aws:x", "")), "TagException"},
		{set(tag("d", ""), tag("d", "")), "TagException"},
		{unset("a", "nobody"), ""},
		{unset("aws:x"), "TagException"},
	} {
		if c.got != c.want {
			t.Errorf("step %d: %q, want %q", i, c.got, c.want)
		}
	}
	if got := list(); got != "b=2 c=3 " {
		t.Error(got)
	}
	var many []types.Tag
	for i := range 49 {
		many = append(many, tag(fmt.Sprint("x", i), ""))
	}
	if got := set(many...); got != "TagException" {
		t.Errorf("51 tags: %q", got)
	}
	if got := set(many[1:]...); got != "" {
		t.Errorf("50 tags: %q", got)
	}
	if resp, body := post(t, srv, "TagResource", `{"KeyId":"`+arn+`"}`); resp.StatusCode != 400 {
		t.Errorf("no tags: %s", body)
	}
	if _, err := client.TagResource(ctx, &kms.TagResourceInput{KeyId: aws.String("alias/a"), Tags: many[:1]}); code(err) != "NotFoundException" {
		t.Errorf("by alias: %v", err)
	}
}

func TestUpdateKeyDescription(t *testing.T) {
	srv := awskmstest.Start(t)
	arn, client, ctx := srv.CreateKey(), srv.Client(), t.Context()
	update := func(text *string) error {
		_, err := client.UpdateKeyDescription(ctx, &kms.UpdateKeyDescriptionInput{KeyId: &arn, Description: text})
		return err
	}
	if err := update(aws.String("patients")); err != nil {
		t.Fatal(err)
	}
	if out, err := client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &arn}); err != nil || *out.KeyMetadata.Description != "patients" {
		t.Errorf("%+v, %v", out, err)
	}
	if _, err := client.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &arn}); err != nil {
		t.Fatal(err)
	}
	if err := update(aws.String("")); code(err) != "KMSInvalidStateException" {
		t.Errorf("while its deletion is pending: %v", err)
	}
	if _, err := client.ListResourceTags(ctx, &kms.ListResourceTagsInput{KeyId: &arn}); err != nil {
		t.Errorf("tags while its deletion is pending: %v", err)
	}
}
