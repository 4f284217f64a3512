package awskmstest_test

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

const (
	clerk = "arn:aws:iam::111122223333:user/clerk"
	boss  = "arn:aws:iam::111122223333:role/boss"
)

func grantInput(id, grantee string, operations ...types.GrantOperation) *kms.CreateGrantInput {
	return &kms.CreateGrantInput{KeyId: &id, GranteePrincipal: &grantee, Operations: operations}
}

func createGrant(t *testing.T, client *kms.Client, in *kms.CreateGrantInput) *kms.CreateGrantOutput {
	t.Helper()
	out, err := client.CreateGrant(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func open(t *testing.T, client *kms.Client, id string, blob []byte, context map[string]string, tokens ...string) string {
	t.Helper()
	_, err := client.Decrypt(t.Context(), &kms.DecryptInput{KeyId: &id, CiphertextBlob: blob, EncryptionContext: context, GrantTokens: tokens})
	return code(err)
}

func TestAGrantGivesAndItsRevocationTakesAway(t *testing.T) {
	srv := awskmstest.Start(t)
	arn, other := srv.CreateKey("alias/a"), srv.CreateKey()
	medical := map[string]string{"domain": "medical", "tenant": "acme"}
	finance := map[string]string{"domain": "finance"}
	ofMedical, ofFinance, plain := encrypt(t, srv, arn, []byte("x"), medical), encrypt(t, srv, arn, []byte("x"), finance), encrypt(t, srv, arn, []byte("x"), nil)
	client, user := srv.Client(), srv.ClientAs(srv.AddUser("clerk"))
	if got := open(t, user, arn, ofMedical, medical); got != "AccessDeniedException" {
		t.Fatalf("without a grant: %q", got)
	}
	for name, c := range map[string]struct {
		constraints                      *types.GrantConstraints
		ofMedical, ofFinance, withoutCtx string
	}{
		"none":   {nil, "", "", ""},
		"subset": {&types.GrantConstraints{EncryptionContextSubset: map[string]string{"domain": "medical"}}, "", "AccessDeniedException", "AccessDeniedException"},
		"equals": {&types.GrantConstraints{EncryptionContextEquals: medical}, "", "AccessDeniedException", "AccessDeniedException"},
		"equals is all of it": {&types.GrantConstraints{EncryptionContextEquals: map[string]string{"domain": "medical"}},
			"AccessDeniedException", "AccessDeniedException", "AccessDeniedException"},
	} {
		in := grantInput(arn, clerk, types.GrantOperationDecrypt, types.GrantOperationDescribeKey)
		in.Constraints = c.constraints
		g := createGrant(t, client, in)
		if a, b, n := open(t, user, arn, ofMedical, medical), open(t, user, "alias/a", ofFinance, finance), open(t, user, arn, plain, nil); a != c.ofMedical || b != c.ofFinance || n != c.withoutCtx {
			t.Errorf("%s: %q, %q, %q", name, a, b, n)
		}
		if _, err := user.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &arn}); err != nil {
			t.Errorf("%s: constraints do not bind DescribeKey: %v", name, err)
		}
		if err := use(t.Context(), user, arn); code(err) != "AccessDeniedException" {
			t.Errorf("%s: an operation that is not granted: %v", name, err)
		}
		if _, err := user.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &other}); code(err) != "AccessDeniedException" {
			t.Errorf("%s: another key: %v", name, err)
		}
		if got := open(t, srv.ClientAs(srv.AddUser("somebody")), arn, plain, nil); got != "AccessDeniedException" {
			t.Errorf("%s: another user: %q", name, got)
		}
		if got := open(t, client, arn, plain, nil, *g.GrantToken); got != "" {
			t.Errorf("%s: with its token: %q", name, got)
		}
		if _, err := client.RevokeGrant(t.Context(), &kms.RevokeGrantInput{KeyId: &arn, GrantId: g.GrantId, DryRun: aws.Bool(true)}); code(err) != "DryRunOperationException" {
			t.Errorf("%s: dry: %v", name, err)
		}
		if got := open(t, user, arn, ofMedical, medical); got != c.ofMedical {
			t.Errorf("%s: a dry run took it away: %q", name, got)
		}
		if _, err := client.RevokeGrant(t.Context(), &kms.RevokeGrantInput{KeyId: &arn, GrantId: g.GrantId}); err != nil {
			t.Fatal(err)
		}
		if got := open(t, user, arn, ofMedical, medical); got != "AccessDeniedException" {
			t.Errorf("%s: revoked: %q", name, got)
		}
		if got := open(t, client, arn, plain, nil, *g.GrantToken); got != "InvalidGrantTokenException" {
			t.Errorf("%s: the token of a grant that is gone: %q", name, got)
		}
	}
}

func TestCreateGrantIsIdempotentByName(t *testing.T) {
	srv := awskmstest.Start(t)
	arn, client := srv.CreateKey(), srv.Client()
	in := grantInput(arn, clerk, "Decrypt", "Encrypt")
	in.Name = aws.String("desk:1/a_b-c")
	first, again := createGrant(t, client, in), createGrant(t, client, in)
	if *first.GrantId != *again.GrantId || *first.GrantToken == *again.GrantToken || len(*first.GrantId) != 64 {
		t.Error("a repeated CreateGrant with a name must give the grant and another token")
	}
	in.Operations = []types.GrantOperation{"Encrypt", "Decrypt", "Decrypt"}
	if g := createGrant(t, client, in); *g.GrantId != *first.GrantId {
		t.Error("the order of operations matters")
	}
	in.Operations = in.Operations[:1]
	if g := createGrant(t, client, in); *g.GrantId == *first.GrantId {
		t.Error("a name alone is not enough")
	}
	in.Name = nil
	if a, b := createGrant(t, client, in), createGrant(t, client, in); *a.GrantId == *b.GrantId {
		t.Error("two grants without a name are one")
	}
}

func TestListGrants(t *testing.T) {
	srv := awskmstest.Start(t)
	arn, other, client, ctx := srv.CreateKey(), srv.CreateKey(), srv.Client(), t.Context()
	in := grantInput(arn, clerk, "Decrypt")
	in.RetiringPrincipal, in.Name = aws.String(boss), aws.String("desk")
	in.Constraints = &types.GrantConstraints{EncryptionContextSubset: map[string]string{"domain": "medical"}}
	named := createGrant(t, client, in)
	for range 4 {
		createGrant(t, client, grantInput(arn, boss, "Encrypt"))
	}
	createGrant(t, client, grantInput(other, clerk, "Encrypt"))
	var ids []string
	for pages := kms.NewListGrantsPaginator(client, &kms.ListGrantsInput{KeyId: &arn, Limit: aws.Int32(2)}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range page.Grants {
			ids = append(ids, *g.GrantId)
		}
	}
	if len(ids) != 5 || !slices.IsSorted(ids) || !slices.Contains(ids, *named.GrantId) {
		t.Errorf("%v", ids)
	}
	for name, in := range map[string]*kms.ListGrantsInput{
		"by id": {KeyId: &arn, GrantId: named.GrantId}, "by grantee": {KeyId: &arn, GranteePrincipal: aws.String(clerk)},
	} {
		out, err := client.ListGrants(ctx, in)
		if err != nil || len(out.Grants) != 1 {
			t.Fatalf("%s: %v", name, err)
		}
		g := out.Grants[0]
		if *g.GrantId != *named.GrantId || *g.KeyId != arn || *g.Name != "desk" || *g.GranteePrincipal != clerk || *g.RetiringPrincipal != boss ||
			*g.IssuingAccount != "arn:aws:iam::111122223333:root" || !slices.Equal(g.Operations, []types.GrantOperation{"Decrypt"}) ||
			g.Constraints.EncryptionContextSubset["domain"] != "medical" || g.CreationDate == nil {
			t.Errorf("%s: %+v", name, g)
		}
	}
	out, err := client.ListRetirableGrants(ctx, &kms.ListRetirableGrantsInput{RetiringPrincipal: aws.String(boss)})
	if err != nil || len(out.Grants) != 1 || *out.Grants[0].GrantId != *named.GrantId {
		t.Errorf("retirable: %+v, %v", out, err)
	}
	if _, err := client.ListGrants(ctx, &kms.ListGrantsInput{KeyId: &arn, GrantId: aws.String("x")}); code(err) != "InvalidGrantIdException" {
		t.Errorf("a grant id that is none: %v", err)
	}
}

func TestRetireGrant(t *testing.T) {
	srv := awskmstest.Start(t)
	arn, ctx := srv.CreateKey(), t.Context()
	clients := map[string]*kms.Client{
		"admin": srv.Client(), "clerk": srv.ClientAs(srv.AddUser("clerk")), "boss": srv.ClientAs(srv.AddRole("boss")), "nobody": srv.ClientAs(srv.AddUser("nobody")),
	}
	for _, c := range []struct {
		by         string
		operations []types.GrantOperation
		want       string
	}{
		{"admin", []types.GrantOperation{"Decrypt"}, ""},
		{"boss", []types.GrantOperation{"Decrypt"}, ""},
		{"clerk", []types.GrantOperation{"Decrypt"}, "AccessDeniedException"},
		{"clerk", []types.GrantOperation{"Decrypt", "RetireGrant"}, ""},
		{"nobody", []types.GrantOperation{"Decrypt", "RetireGrant"}, "AccessDeniedException"},
	} {
		for _, byToken := range []bool{false, true} {
			in := grantInput(arn, clerk, c.operations...)
			in.RetiringPrincipal = aws.String(boss)
			g := createGrant(t, clients["admin"], in)
			retire := &kms.RetireGrantInput{KeyId: &arn, GrantId: g.GrantId}
			if byToken {
				retire = &kms.RetireGrantInput{GrantToken: g.GrantToken}
			}
			retire.DryRun = aws.Bool(true)
			wantDry := c.want
			if wantDry == "" {
				wantDry = "DryRunOperationException"
			}
			if _, err := clients[c.by].RetireGrant(ctx, retire); code(err) != wantDry {
				t.Errorf("%s, token %v, dry: %v", c.by, byToken, err)
			}
			retire.DryRun = nil
			if _, err := clients[c.by].RetireGrant(ctx, retire); code(err) != c.want {
				t.Errorf("%s, token %v: %v, want %q", c.by, byToken, err, c.want)
			}
			out, err := clients["admin"].ListGrants(ctx, &kms.ListGrantsInput{KeyId: &arn, GrantId: g.GrantId})
			if err != nil || (len(out.Grants) == 0) != (c.want == "") {
				t.Errorf("%s, token %v: %d grants, %v", c.by, byToken, len(out.Grants), err)
			}
		}
	}
}

func TestWhoMayGrantByAGrantGrantsNoMore(t *testing.T) {
	srv := awskmstest.Start(t)
	arn := srv.CreateKey()
	medical := map[string]string{"domain": "medical"}
	in := grantInput(arn, clerk, "Decrypt", "CreateGrant")
	in.Constraints = &types.GrantConstraints{EncryptionContextSubset: medical}
	createGrant(t, srv.Client(), in)
	user := srv.ClientAs(srv.AddUser("clerk"))
	for name, c := range map[string]struct {
		in   *kms.CreateGrantInput
		want string
	}{
		"as strict":        {with(grantInput(arn, boss, "Decrypt"), &types.GrantConstraints{EncryptionContextSubset: medical}), ""},
		"stricter":         {with(grantInput(arn, boss, "Decrypt"), &types.GrantConstraints{EncryptionContextEquals: map[string]string{"domain": "medical", "tenant": "a"}}), ""},
		"no constraints":   {grantInput(arn, boss, "Decrypt"), "AccessDeniedException"},
		"another context":  {with(grantInput(arn, boss, "Decrypt"), &types.GrantConstraints{EncryptionContextSubset: map[string]string{"domain": "finance"}}), "AccessDeniedException"},
		"other operations": {with(grantInput(arn, boss, "Decrypt", "Encrypt"), &types.GrantConstraints{EncryptionContextSubset: medical}), "AccessDeniedException"},
	} {
		if _, err := user.CreateGrant(t.Context(), c.in); code(err) != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func with(in *kms.CreateGrantInput, c *types.GrantConstraints) *kms.CreateGrantInput {
	in.Constraints = c
	return in
}

func TestGrantErrors(t *testing.T) {
	srv := awskmstest.Start(t)
	client, ctx := srv.Client(), t.Context()
	arn, disabled := srv.CreateKey("alias/a"), srv.CreateKey()
	if _, err := client.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &disabled}); err != nil {
		t.Fatal(err)
	}
	mac, err := client.CreateKey(ctx, &kms.CreateKeyInput{KeySpec: "HMAC_256", KeyUsage: "GENERATE_VERIFY_MAC"})
	if err != nil {
		t.Fatal(err)
	}
	create := func(in *kms.CreateGrantInput) error { _, err := client.CreateGrant(ctx, in); return err }
	revoke := func(id string) error {
		_, err := client.RevokeGrant(ctx, &kms.RevokeGrantInput{KeyId: &arn, GrantId: &id})
		return err
	}
	retire := func(in kms.RetireGrantInput) error { _, err := client.RetireGrant(ctx, &in); return err }
	dry := grantInput(arn, clerk, "Decrypt")
	dry.DryRun = aws.Bool(true)
	token := grantInput(arn, clerk, "Decrypt")
	token.GrantTokens = []string{"x"}
	nine := map[string]string{"1": "", "2": "", "3": "", "4": "", "5": "", "6": "", "7": "", "8": "", "9": ""}
	const nobody = "0123456789012345678901234567890123456789012345678901234567890123"
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"dry run":             {create(dry), "DryRunOperationException"},
		"a token of no grant": {create(token), "InvalidGrantTokenException"},
		"by alias":            {create(grantInput("alias/a", clerk, "Decrypt")), "NotFoundException"},
		"disabled key":        {create(grantInput(disabled, clerk, "Decrypt")), "DisabledException"},
		"no principal":        {create(grantInput(arn, "clerk", "Decrypt")), "InvalidArnException"},
		"not for this key":    {create(grantInput(arn, clerk, "Sign")), "ValidationException"},
		"no such operation":   {create(grantInput(arn, clerk, "DisableKey")), "ValidationException"},
		"nine pairs":          {create(with(grantInput(arn, clerk, "Decrypt"), &types.GrantConstraints{EncryptionContextSubset: nine})), "ValidationException"},
		"for a resource":      {create(with(grantInput(arn, clerk, "Decrypt"), &types.GrantConstraints{SourceArn: aws.String("arn:aws:s3:::b")})), "UnsupportedOperationException"},
		"context for a MAC":   {create(with(grantInput(*mac.KeyMetadata.Arn, clerk, "GenerateMac"), &types.GrantConstraints{EncryptionContextSubset: map[string]string{"1": ""}})), "ValidationException"},
		"revoke: malformed":   {revoke("x"), "InvalidGrantIdException"},
		"revoke: not there":   {revoke(nobody), "NotFoundException"},
		"retire: nothing":     {retire(kms.RetireGrantInput{}), "ValidationException"},
		"retire: both":        {retire(kms.RetireGrantInput{GrantToken: aws.String("x"), KeyId: &arn, GrantId: aws.String(nobody)}), "ValidationException"},
		"retire: bad token":   {retire(kms.RetireGrantInput{GrantToken: aws.String("x")}), "InvalidGrantTokenException"},
		"retire: not there":   {retire(kms.RetireGrantInput{KeyId: &arn, GrantId: aws.String(nobody)}), "NotFoundException"},
	} {
		if code(c.err) != c.want {
			t.Errorf("%s: %v, want %s", name, c.err, c.want)
		}
	}
	if out, err := client.ListGrants(ctx, &kms.ListGrantsInput{KeyId: &arn}); err != nil || len(out.Grants) != 0 {
		t.Errorf("a refused call left grants: %+v, %v", out, err)
	}
}
