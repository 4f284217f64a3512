package awskmstest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

// allow is a policy of statements; those of key policies have a principal.
func policyOf(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

const (
	rootStatement = `{"Sid":"root","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}`
	adminOnly     = `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/test"},"Action":"kms:*","Resource":"*"}`
)

func putPolicy(t *testing.T, srv *awskmstest.Server, arn, policy string) {
	t.Helper()
	if _, err := srv.Client().PutKeyPolicy(t.Context(), &kms.PutKeyPolicyInput{KeyId: &arn, Policy: &policy}); err != nil {
		t.Fatal(err)
	}
}

func message(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorMessage()
	}
	return ""
}

func TestKeyPolicyAndIdentityPolicies(t *testing.T) {
	const (
		useAll   = `{"Effect":"Allow","Action":["kms:Generate*","kms:DescribeKey"],"Resource":"*"}`
		denyAll  = `{"Effect":"Deny","Action":"kms:*","Resource":"*"}`
		toClerk  = `{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:user/clerk"]},"Action":"KMS:generatedatake?","Resource":"*"}`
		notClerk = `{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::111122223333:user/clerk"},"NotAction":"kms:DescribeKey","Resource":"*"}`
		toAll    = `{"Effect":"Allow","Principal":"*","Action":"kms:GenerateDataKey","Resource":"*"}`
		noBody   = `{"Effect":"Deny","Principal":{"AWS":"111122223333"},"Action":"kms:GenerateDataKey","Resource":"*"}`
		service  = `{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"kms:*","Resource":"*"}`
	)
	for name, c := range map[string]struct {
		key, identity []string // statements
		grant         bool
		want          string // how the message ends
	}{
		"IAM, left to it by the key policy":             {key: []string{rootStatement}, identity: []string{useAll}},
		"IAM alone":                                     {key: []string{adminOnly}, identity: []string{useAll}, want: "because no resource-based policy allows the kms:GenerateDataKey action"},
		"left to IAM, which says nothing":               {key: []string{rootStatement}, want: "because no identity-based policy allows the kms:GenerateDataKey action"},
		"the key policy":                                {key: []string{adminOnly, toClerk}},
		"the key policy for all":                        {key: []string{adminOnly, toAll}},
		"a service":                                     {key: []string{adminOnly, service}, want: "because no resource-based policy allows the kms:GenerateDataKey action"},
		"denied by the key policy":                      {key: []string{rootStatement, toClerk, notClerk}, identity: []string{useAll}, grant: true, want: "with an explicit deny in a resource-based policy"},
		"denied to the account":                         {key: []string{rootStatement, toClerk, noBody}, identity: []string{useAll}, want: "with an explicit deny in a resource-based policy"},
		"denied by an identity policy":                  {key: []string{rootStatement, toClerk}, identity: []string{useAll, denyAll}, grant: true, want: "with an explicit deny in an identity-based policy"},
		"a grant":                                       {key: []string{rootStatement}, grant: true},
		"a grant where the key policy leaves out IAM":   {key: []string{adminOnly}, grant: true},
		"another key's ARN in the identity policy":      {key: []string{rootStatement}, identity: []string{strings.Replace(useAll, `"*"`, `"arn:aws:kms:us-east-1:111122223333:key/1234abcd*"`, 1)}, want: "because no identity-based policy allows the kms:GenerateDataKey action"},
		"a pattern of the ARN in the identity policy":   {key: []string{rootStatement}, identity: []string{strings.Replace(useAll, `"*"`, `["arn:aws:kms:eu-*:*:key/*","arn:aws:kms:us-*-?:1111*:key/*"]`, 1)}},
		"another service's actions in the identity one": {key: []string{rootStatement}, identity: []string{`{"Effect":"Allow","Action":"s3:*","Resource":"*"}`}, want: "because no identity-based policy allows the kms:GenerateDataKey action"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := awskmstest.Start(t)
			arn := srv.CreateKey()
			var policies []string
			if c.identity != nil {
				policies = append(policies, policyOf(c.identity...))
			}
			user := srv.ClientAs(srv.AddUser("clerk", policies...))
			putPolicy(t, srv, arn, policyOf(c.key...))
			if c.grant {
				createGrant(t, srv.Client(), grantInput(arn, clerk, "GenerateDataKey"))
			}
			want := ""
			if c.want != "" {
				want = "User: " + clerk + " is not authorized to perform: kms:GenerateDataKey on resource: " + arn + " " + c.want
			}
			err := use(t.Context(), user, arn)
			if message(err) != want || want != "" && code(err) != "AccessDeniedException" {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			if err := use(t.Context(), srv.Client(), arn); (err != nil) != strings.Contains(strings.Join(c.key, ""), `"111122223333"`) {
				t.Errorf("the administrator: %v", err)
			}
		})
	}
}

func TestConditions(t *testing.T) {
	medical := map[string]string{"fieldcrypt:domain": "medical", "fieldcrypt:tenant": "acme"}
	for condition, want := range map[string]bool{
		`"StringEquals":{"kms:EncryptionContext:fieldcrypt:domain":"medical"}`:                                                  true,
		`"StringEquals":{"kms:encryptioncontext:FIELDCRYPT:domain":["finance","medical"]}`:                                      true,
		`"StringEquals":{"kms:EncryptionContext:fieldcrypt:domain":"finance"}`:                                                  false,
		`"StringEquals":{"kms:EncryptionContext:domain":"medical"}`:                                                             false,
		`"StringEqualsIfExists":{"kms:EncryptionContext:domain":"medical"}`:                                                     true,
		`"StringEqualsIfExists":{"kms:EncryptionContext:fieldcrypt:domain":"finance"}`:                                          false,
		`"StringEqualsIgnoreCase":{"kms:EncryptionContext:fieldcrypt:domain":"MEDICAL"}`:                                        true,
		`"StringEquals":{"kms:EncryptionContext:fieldcrypt:domain":"MEDICAL"}`:                                                  false,
		`"StringNotEquals":{"kms:EncryptionContext:fieldcrypt:domain":"finance"}`:                                               true,
		`"StringNotEquals":{"kms:EncryptionContext:fieldcrypt:domain":["medical","finance"]}`:                                   false,
		`"StringNotEquals":{"kms:EncryptionContext:domain":"medical"}`:                                                          true,
		`"StringLike":{"kms:EncryptionContext:fieldcrypt:tenant":"a?m*"}`:                                                       true,
		`"StringNotLike":{"kms:EncryptionContext:fieldcrypt:tenant":"a?m*"}`:                                                    false,
		`"ForAllValues:StringEquals":{"kms:EncryptionContextKeys":["fieldcrypt:domain","fieldcrypt:tenant","x"]}`:               true,
		`"ForAllValues:StringEquals":{"kms:EncryptionContextKeys":["fieldcrypt:domain"]}`:                                       false,
		`"ForAnyValue:StringEquals":{"kms:EncryptionContextKeys":["fieldcrypt:domain"]}`:                                        true,
		`"ForAnyValue:StringLike":{"kms:EncryptionContextKeys":"other:*"}`:                                                      false,
		`"ForAllValues:StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"}`:                                           true,
		`"StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"}`:                                                        false,
		`"Null":{"kms:ViaService":"true"}`:                                                                                      true,
		`"Null":{"kms:ViaService":false}`:                                                                                       false,
		`"StringEquals":{"kms:CallerAccount":"111122223333","kms:KeyOrigin":"AWS_KMS"}`:                                         true,
		`"StringEquals":{"kms:CallerAccount":"111122223333"},"StringLike":{"kms:KeyOrigin":"EXT*"}`:                             false,
		`"StringEquals":{"kms:CallerAccount":111122223333}`:                                                                     true,
		`"StringEquals":{"kms:RequestAlias":"alias/medical"}`:                                                                   true,
		`"ForAnyValue:StringEquals":{"kms:ResourceAliases":"alias/medical"}`:                                                    true,
		`"StringEquals":{"aws:ResourceTag/team":"clinic"}`:                                                                      true,
		`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/*"}`:                                                                true,
		`"ArnLike":{"aws:PrincipalArn":"arn:*:user/*"}`:                                                                         false,
		`"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:user/clerk"}`:                                            false,
		`"Bool":{"kms:MultiRegion":"false"}`:                                                                                    true,
		`"Bool":{"kms:GrantIsForAWSResource":"true"}`:                                                                           false,
		`"StringEquals":{"aws:RequestedRegion":"us-east-1","kms:KeySpec":"SYMMETRIC_DEFAULT","kms:KeyUsage":"ENCRYPT_DECRYPT"}`: true,
	} {
		for _, byKeyPolicy := range []bool{false, true} {
			srv := awskmstest.Start(t)
			arn := srv.CreateKey("alias/medical")
			if _, err := srv.Client().TagResource(t.Context(), &kms.TagResourceInput{KeyId: &arn, Tags: []types.Tag{tag("Team", "clinic")}}); err != nil {
				t.Fatal(err)
			}
			rest := `"Effect":"Allow","Action":"kms:Encrypt","Resource":"*","Condition":{` + condition + `}}`
			var user *kms.Client
			if byKeyPolicy {
				user = srv.ClientAs(srv.AddUser("clerk"))
				putPolicy(t, srv, arn, policyOf(rootStatement, `{"Principal":{"AWS":"`+clerk+`"},`+rest))
			} else {
				user = srv.ClientAs(srv.AddUser("clerk", policyOf(`{`+rest)))
			}
			_, err := user.Encrypt(t.Context(), &kms.EncryptInput{KeyId: aws.String("alias/medical"), Plaintext: []byte("x"), EncryptionContext: medical})
			if (err == nil) != want {
				t.Errorf("%s, key policy %v: %v, want allowed %v", condition, byKeyPolicy, err, want)
			}
			srv.Close()
		}
	}
}

func TestReEncryptAsksForBothContexts(t *testing.T) {
	srv := awskmstest.Start(t)
	from, to := srv.CreateKey(), srv.CreateKey()
	statement := func(action, domain string) string {
		return `{"Effect":"Allow","Action":"kms:` + action + `","Resource":"*","Condition":{"StringEquals":{"kms:EncryptionContext:domain":"` + domain + `"}}}`
	}
	user := srv.ClientAs(srv.AddUser("clerk", policyOf(statement("ReEncryptFrom", "a"), statement("ReEncryptTo", "b"))))
	for _, c := range [][3]string{{"a", "b", ""}, {"b", "b", "kms:ReEncryptFrom"}, {"a", "a", "kms:ReEncryptTo"}} {
		source, destination := map[string]string{"domain": c[0]}, map[string]string{"domain": c[1]}
		blob := encrypt(t, srv, from, []byte("x"), source)
		_, err := user.ReEncrypt(t.Context(), &kms.ReEncryptInput{
			CiphertextBlob: blob, SourceKeyId: &from, SourceEncryptionContext: source, DestinationKeyId: &to, DestinationEncryptionContext: destination,
		})
		if (err == nil) != (c[2] == "") || !strings.Contains(message(err), c[2]) {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func TestGrantsCanBeBoundByConditions(t *testing.T) {
	srv := awskmstest.Start(t)
	arn := srv.CreateKey()
	user := srv.ClientAs(srv.AddUser("clerk", policyOf(`{"Effect":"Allow","Action":"kms:CreateGrant","Resource":"*","Condition":{
		"StringEquals":{"kms:GranteePrincipal":"`+boss+`","kms:EncryptionContext:domain":"medical"},
		"ForAllValues:StringEquals":{"kms:GrantOperations":["Decrypt","Encrypt"]}}}`)))
	medical := &types.GrantConstraints{EncryptionContextSubset: map[string]string{"domain": "medical"}}
	for name, c := range map[string]struct {
		in   *kms.CreateGrantInput
		want string
	}{
		"fits":             {with(grantInput(arn, boss, "Decrypt"), medical), ""},
		"another grantee":  {with(grantInput(arn, clerk, "Decrypt"), medical), "AccessDeniedException"},
		"more operations":  {with(grantInput(arn, boss, "Decrypt", "GenerateDataKey"), medical), "AccessDeniedException"},
		"no constraint":    {grantInput(arn, boss, "Decrypt"), "AccessDeniedException"},
		"wrong constraint": {with(grantInput(arn, boss, "Decrypt"), &types.GrantConstraints{EncryptionContextEquals: map[string]string{"domain": "x"}}), "AccessDeniedException"},
	} {
		if _, err := user.CreateGrant(t.Context(), c.in); code(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatPoliciesCannotSayIsRefused(t *testing.T) {
	srv := awskmstest.Start(t)
	arn, client := srv.CreateKey(), srv.Client()
	condition := func(c string) string {
		return policyOf(rootStatement, `{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt","Resource":"*","Condition":{`+c+`}}`)
	}
	root := func(old, new string) string { return policyOf(strings.Replace(rootStatement, old, new, 1)) }
	for name, text := range map[string]string{
		"not JSON":              `{`,
		"a list":                `[]`,
		"no statement":          `{"Version":"2012-10-17"}`,
		"empty statements":      policyOf(),
		"another version":       `{"Version":"2013","Statement":` + rootStatement + `}`,
		"an unknown member":     `{"Version":"2012-10-17","Comment":"x","Statement":` + rootStatement + `}`,
		"unknown in statement":  root(`"Sid":"root"`, `"Name":"root"`),
		"effect":                root(`"Allow"`, `"allow"`),
		"no action":             root(`"Action":"kms:*",`, ``),
		"both actions":          root(`"Action"`, `"NotAction":"kms:Decrypt","Action"`),
		"action without colon":  root(`"kms:*"`, `"Decrypt"`),
		"no resource":           root(`,"Resource":"*"`, ``),
		"resource":              root(`"Resource":"*"`, `"Resource":"key"`),
		"NotResource":           root(`"Resource":"*"`, `"Resource":"*","NotResource":"*"`),
		"NotPrincipal":          root(`"Principal"`, `"NotPrincipal"`),
		"no principal":          root(`"Principal":{"AWS":"arn:aws:iam::111122223333:root"},`, ``),
		"federated principal":   root(`"AWS":"arn:aws:iam::111122223333:root"`, `"Federated":"accounts.example.com"`),
		"principal with a *":    root(`:root"`, `:user/*"`),
		"principal that is no":  root(`arn:aws:iam::111122223333:root`, `AIDAEXAMPLE`),
		"variables":             root(`"Resource":"*"`, `"Resource":"arn:aws:kms:*:*:key/${aws:username}"`),
		"condition operator":    condition(`"DateLessThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"}`),
		"numeric operator":      condition(`"NumericEquals":{"kms:CallerAccount":1}`),
		"condition quantifier":  condition(`"ForSomeValues:StringEquals":{"kms:CallerAccount":"1"}`),
		"condition key":         condition(`"StringEquals":{"aws:SourceIp":"10.0.0.1"}`),
		"context without a key": condition(`"StringEquals":{"kms:EncryptionContext:":"x"}`),
		"condition value":       condition(`"StringEquals":{"kms:CallerAccount":{}}`),
		"no condition value":    condition(`"StringEquals":{"kms:CallerAccount":[]}`),
		"Bool":                  condition(`"Bool":{"kms:MultiRegion":"yes"}`),
		"locks everyone out":    policyOf(`{"Effect":"Allow","Principal":{"AWS":"` + clerk + `"},"Action":"kms:*","Resource":"*"}`),
		"denies itself":         policyOf(rootStatement, `{"Effect":"Deny","Principal":"*","Action":"kms:PutKeyPolicy","Resource":"*"}`),
	} {
		if _, err := client.PutKeyPolicy(t.Context(), &kms.PutKeyPolicyInput{KeyId: &arn, Policy: &text}); code(err) != "MalformedPolicyDocumentException" {
			t.Errorf("%s: PutKeyPolicy: %v", name, err)
		}
		if _, err := client.CreateKey(t.Context(), &kms.CreateKeyInput{Policy: &text}); code(err) != "MalformedPolicyDocumentException" {
			t.Errorf("%s: CreateKey: %v", name, err)
		}
	}
	locked := policyOf(`{"Effect":"Allow","Principal":{"AWS":"` + clerk + `"},"Action":"kms:*","Resource":"*"}`)
	_, err := client.PutKeyPolicy(t.Context(), &kms.PutKeyPolicyInput{KeyId: &arn, Policy: &locked})
	if message(err) != "The new key policy will not allow you to update the key policy in the future." {
		t.Errorf("%v", err)
	}
	if _, err := client.PutKeyPolicy(t.Context(), &kms.PutKeyPolicyInput{KeyId: &arn, Policy: &locked, BypassPolicyLockoutSafetyCheck: true}); err != nil {
		t.Errorf("bypassed: %v", err)
	}
	if _, err := client.PutKeyPolicy(t.Context(), &kms.PutKeyPolicyInput{KeyId: &arn, Policy: aws.String(policyOf(rootStatement))}); code(err) != "AccessDeniedException" {
		t.Errorf("locked out: %v", err)
	}
}

func TestTheResourceOfAKeyPolicyIsItsKey(t *testing.T) {
	srv := awskmstest.Start(t)
	arn, other, client := srv.CreateKey(), srv.CreateKey(), srv.Client()
	own := policyOf(strings.Replace(rootStatement, `"Resource":"*"`, `"Resource":"`+arn+`"`, 1))
	putPolicy(t, srv, arn, own)
	if err := use(t.Context(), client, arn); err != nil {
		t.Error(err)
	}
	if _, err := client.PutKeyPolicy(t.Context(), &kms.PutKeyPolicyInput{KeyId: &other, Policy: &own}); code(err) != "MalformedPolicyDocumentException" {
		t.Errorf("a policy about another key locks its own out: %v", err)
	}
}

func TestReadingKeyPolicies(t *testing.T) {
	srv := awskmstest.Start(t)
	arn, client, ctx := srv.CreateKey("alias/a"), srv.Client(), t.Context()
	out, err := client.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &arn})
	if err != nil || *out.PolicyName != "default" || !strings.Contains(*out.Policy, `"AWS" : "arn:aws:iam::111122223333:root"`) {
		t.Errorf("%+v, %v", out, err)
	}
	text := policyOf(rootStatement) + "\n "
	putPolicy(t, srv, arn, text)
	if out, err := client.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &arn, PolicyName: aws.String("default")}); err != nil || *out.Policy != text {
		t.Errorf("%+v, %v", out, err)
	}
	if out, err := client.ListKeyPolicies(ctx, &kms.ListKeyPoliciesInput{KeyId: &arn}); err != nil || fmt.Sprint(out.PolicyNames) != "[default]" || out.Truncated {
		t.Errorf("%+v, %v", out, err)
	}
	if _, err := client.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &arn, PolicyName: aws.String("other")}); code(err) != "NotFoundException" || message(err) != "No such policy exists" {
		t.Errorf("another name: %v", err)
	}
	if _, err := client.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: aws.String("alias/a")}); code(err) != "NotFoundException" {
		t.Errorf("by alias: %v", err)
	}
	long := policyOf(strings.Replace(rootStatement, `"root"`, `"`+strings.Repeat("r", 32768)+`"`, 1))
	if _, err := client.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: &arn, Policy: &long}); code(err) != "LimitExceededException" {
		t.Errorf("a long policy: %v", err)
	}
}

func TestRolesAreNamedByTheirSessions(t *testing.T) {
	srv := awskmstest.Start(t)
	arn := srv.CreateKey()
	creds := srv.AddRole("team/boss")
	if creds.SessionToken == "" || !strings.HasPrefix(creds.AccessKeyID, "ASIA") {
		t.Errorf("%s: a session has a token", creds.AccessKeyID)
	}
	client := srv.ClientAs(creds)
	const session = "arn:aws:sts::111122223333:assumed-role/boss/session"
	if err := use(t.Context(), client, arn); !strings.HasPrefix(message(err), "User: "+session+" is not authorized") {
		t.Errorf("%v", err)
	}
	if c := srv.Calls()[0]; c.Principal != session {
		t.Errorf("%+v", c)
	}
	for _, principal := range []string{"arn:aws:iam::111122223333:role/team/boss", session} {
		putPolicy(t, srv, arn, policyOf(rootStatement, `{"Effect":"Allow","Principal":{"AWS":"`+principal+`"},"Action":"kms:GenerateDataKey","Resource":"*"}`))
		if err := use(t.Context(), client, arn); err != nil {
			t.Errorf("%s: %v", principal, err)
		}
	}
	creds.SessionToken += "x"
	if err := use(t.Context(), srv.ClientAs(creds), arn); code(err) != "UnrecognizedClientException" {
		t.Errorf("a wrong session token: %v", err)
	}
}

func TestAddUserReplacesPoliciesAndRefusesBadOnes(t *testing.T) {
	srv := awskmstest.Start(t)
	arn := srv.CreateKey()
	first := srv.ClientAs(srv.AddUser("clerk", policyOf(`{"Effect":"Allow","Action":"kms:*","Resource":"*"}`)))
	if err := use(t.Context(), first, arn); err != nil {
		t.Fatal(err)
	}
	srv.AddUser("clerk")
	if err := use(t.Context(), first, arn); code(err) != "AccessDeniedException" {
		t.Errorf("without policies: %v", err)
	}
	if err := use(t.Context(), srv.ClientAs(srv.AddCredentials("clerk")), arn); code(err) != "AccessDeniedException" {
		t.Errorf("another access key made the user an administrator: %v", err)
	}
	for _, bad := range []string{`{`, policyOf(rootStatement)} {
		func() {
			defer func() {
				if r := fmt.Sprint(recover()); !strings.HasPrefix(r, "awskmstest: ") {
					t.Errorf("%s: %s", bad, r)
				}
			}()
			srv.AddUser("clerk", bad)
		}()
	}
}

func TestWhatIsAboutNoKeyIsIAMs(t *testing.T) {
	srv := awskmstest.Start(t)
	arn, ctx := srv.CreateKey("alias/a", "alias/b"), t.Context()
	clerk := srv.ClientAs(srv.AddUser("clerk", policyOf(
		`{"Effect":"Allow","Action":["kms:*Alias","kms:*Aliases"],"Resource":["arn:aws:kms:us-east-1:111122223333:alias/clerk/*","`+arn+`"]}`)))
	errs := map[string]func() error{
		"kms:CreateKey":   func() error { _, err := clerk.CreateKey(ctx, nil); return err },
		"kms:ListKeys":    func() error { _, err := clerk.ListKeys(ctx, nil); return err },
		"kms:ListAliases": func() error { _, err := clerk.ListAliases(ctx, nil); return err },
		"kms:ListRetirableGrants": func() error {
			_, err := clerk.ListRetirableGrants(ctx, &kms.ListRetirableGrantsInput{RetiringPrincipal: aws.String(boss)})
			return err
		},
		"kms:GenerateRandom": func() error {
			_, err := clerk.GenerateRandom(ctx, &kms.GenerateRandomInput{NumberOfBytes: aws.Int32(1)})
			return err
		},
		"kms:CreateAlias": func() error {
			_, err := clerk.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String("alias/c"), TargetKeyId: &arn})
			return err
		},
		"kms:DeleteAlias": func() error {
			_, err := clerk.DeleteAlias(ctx, &kms.DeleteAliasInput{AliasName: aws.String("alias/a")})
			return err
		},
	}
	for action, call := range errs {
		if err := call(); code(err) != "AccessDeniedException" || !strings.Contains(message(err), " "+action+" on resource: ") {
			t.Errorf("%s: %v", action, err)
		}
	}
	own := aws.String("alias/clerk/x")
	if _, err := clerk.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: own, TargetKeyId: &arn}); err != nil {
		t.Errorf("its own alias: %v", err)
	}
	other := srv.CreateKey()
	if _, err := clerk.UpdateAlias(ctx, &kms.UpdateAliasInput{AliasName: own, TargetKeyId: &other}); code(err) != "AccessDeniedException" {
		t.Errorf("to a key that is not allowed: %v", err)
	}
}
