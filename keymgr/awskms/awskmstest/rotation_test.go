package awskmstest_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

// newAt runs a server whose clock the test moves.
func newAt(t *testing.T, now *time.Time) *awskmstest.Server {
	t.Helper()
	*now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	srv, err := awskmstest.New(awskmstest.Config{Now: func() time.Time { return *now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	return srv
}

func TestRotation(t *testing.T) {
	var now time.Time
	srv := newAt(t, &now)
	arn, client, ctx := srv.CreateKey("alias/a"), srv.Client(), t.Context()
	blobs := [][]byte{encrypt(t, srv, arn, []byte("0"), nil)}
	status := func() *kms.GetKeyRotationStatusOutput {
		t.Helper()
		out, err := client.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: &arn})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if s := status(); s.KeyRotationEnabled || s.NextRotationDate != nil || s.RotationPeriodInDays != nil || *s.KeyId != arn {
		t.Errorf("before: %+v", s)
	}
	if _, err := client.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: &arn, RotationPeriodInDays: aws.Int32(90)}); err != nil {
		t.Fatal(err)
	}
	if s := status(); !s.KeyRotationEnabled || *s.RotationPeriodInDays != 90 || !s.NextRotationDate.Equal(now.AddDate(0, 0, 90)) {
		t.Errorf("enabled: %+v", s)
	}
	now = now.AddDate(0, 0, 90).Add(-time.Second)
	if n := len(rotations(t, client, arn, "")); n != 0 {
		t.Errorf("%d rotations before the time", n)
	}
	now = now.Add(time.Second)
	blobs = append(blobs, encrypt(t, srv, arn, []byte("1"), nil))
	now = now.AddDate(0, 0, 1)
	if _, err := client.RotateKeyOnDemand(ctx, &kms.RotateKeyOnDemandInput{KeyId: &arn}); err != nil {
		t.Fatal(err)
	}
	blobs = append(blobs, encrypt(t, srv, arn, []byte("2"), nil))
	now = now.AddDate(0, 0, 180) // two more by then: 90 days after the first and again
	list := rotations(t, client, arn, "")
	var kinds []types.RotationType
	for _, r := range list {
		kinds = append(kinds, r.RotationType)
	}
	if !slices.Equal(kinds, []types.RotationType{"AUTOMATIC", "ON_DEMAND", "AUTOMATIC", "AUTOMATIC"}) || list[0].KeyMaterialState != "" {
		t.Errorf("rotations %v", kinds)
	}
	all := rotations(t, client, arn, types.IncludeKeyMaterialAllKeyMaterial)
	if len(all) != 5 || all[0].RotationDate != nil || all[0].KeyMaterialState != "NON_CURRENT" || all[4].KeyMaterialState != "CURRENT" {
		t.Errorf("%+v", all)
	}
	ids := map[string]bool{}
	for i, blob := range blobs {
		out, err := decrypt(t, srv, arn, blob, nil)
		if err != nil || string(out.Plaintext) != string(rune('0'+i)) || *out.KeyMaterialId != *all[i].KeyMaterialId {
			t.Errorf("ciphertext %d: %v", i, err)
			continue
		}
		ids[*out.KeyMaterialId] = true
	}
	if len(ids) != len(blobs) {
		t.Errorf("%d materials for %d ciphertexts", len(ids), len(blobs))
	}
	if _, err := client.DisableKeyRotation(ctx, &kms.DisableKeyRotationInput{KeyId: &arn}); err != nil {
		t.Fatal(err)
	}
	now = now.AddDate(2, 0, 0)
	if n := len(rotations(t, client, arn, "")); n != 4 || status().KeyRotationEnabled {
		t.Errorf("after it was disabled: %d rotations", n)
	}
}

func TestADisabledKeyRotatesOnceItIsEnabled(t *testing.T) {
	var now time.Time
	srv := newAt(t, &now)
	arn, client, ctx := srv.CreateKey(), srv.Client(), t.Context()
	if _, err := client.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: &arn}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &arn}); err != nil {
		t.Fatal(err)
	}
	now = now.AddDate(5, 0, 0)
	if n := len(rotations(t, client, arn, "")); n != 0 {
		t.Errorf("%d rotations while it was disabled", n)
	}
	if _, err := client.EnableKey(ctx, &kms.EnableKeyInput{KeyId: &arn}); err != nil {
		t.Fatal(err)
	}
	list := rotations(t, client, arn, "")
	if len(list) != 1 || !list[0].RotationDate.Equal(now) {
		t.Errorf("%+v", list)
	}
	out, err := client.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: &arn})
	if err != nil || !out.NextRotationDate.Equal(now.AddDate(0, 0, 365)) {
		t.Errorf("%+v, %v", out, err)
	}
}

func rotations(t *testing.T, client *kms.Client, id string, which types.IncludeKeyMaterial) (list []types.RotationsListEntry) {
	t.Helper()
	for pages := kms.NewListKeyRotationsPaginator(client, &kms.ListKeyRotationsInput{KeyId: &id, Limit: aws.Int32(2), IncludeKeyMaterial: which}); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, page.Rotations...)
	}
	return list
}

func TestRotationIsRefused(t *testing.T) {
	srv := awskmstest.Start(t)
	client, ctx := srv.Client(), t.Context()
	fine, disabled, pending := srv.CreateKey("alias/a"), srv.CreateKey(), srv.CreateKey()
	if _, err := client.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &disabled}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: &pending}); err != nil {
		t.Fatal(err)
	}
	mac, err := client.CreateKey(ctx, &kms.CreateKeyInput{KeySpec: "HMAC_256", KeyUsage: "GENERATE_VERIFY_MAC"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ id, want, read string }{
		{disabled, "DisabledException", ""}, {pending, "KMSInvalidStateException", ""},
		{*mac.KeyMetadata.Arn, "UnsupportedOperationException", "UnsupportedOperationException"},
		{"alias/a", "NotFoundException", "NotFoundException"}, {"arn:x", "InvalidArnException", "InvalidArnException"},
	} {
		_, enable := client.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: &c.id})
		_, disable := client.DisableKeyRotation(ctx, &kms.DisableKeyRotationInput{KeyId: &c.id})
		_, rotate := client.RotateKeyOnDemand(ctx, &kms.RotateKeyOnDemandInput{KeyId: &c.id})
		_, status := client.GetKeyRotationStatus(ctx, &kms.GetKeyRotationStatusInput{KeyId: &c.id})
		_, list := client.ListKeyRotations(ctx, &kms.ListKeyRotationsInput{KeyId: &c.id})
		if got := []string{code(enable), code(disable), code(rotate), code(status), code(list)}; !slices.Equal(got, []string{c.want, c.want, c.want, c.read, c.read}) {
			t.Errorf("%s: %v", c.id, got)
		}
	}
	for _, days := range []int32{89, 2561} {
		if _, err := client.EnableKeyRotation(ctx, &kms.EnableKeyRotationInput{KeyId: &fine, RotationPeriodInDays: &days}); code(err) != "ValidationException" {
			t.Errorf("%d days: %v", days, err)
		}
	}
	for range 25 {
		if _, err := client.RotateKeyOnDemand(ctx, &kms.RotateKeyOnDemandInput{KeyId: &fine}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.RotateKeyOnDemand(ctx, &kms.RotateKeyOnDemandInput{KeyId: &fine}); code(err) != "LimitExceededException" {
		t.Errorf("the 26th rotation: %v", err)
	}
}
