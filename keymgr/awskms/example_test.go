package awskms_test

import (
	"context"
	"fmt"

	"github.com/fieldcrypt/go/keymgr"
	"github.com/fieldcrypt/go/keymgr/awskms"
	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

func ExampleKey() {
	srv, err := awskmstest.New(awskmstest.Config{Region: "eu-west-1"}) // in production: kms.NewFromConfig(cfg)
	if err != nil {
		panic(err)
	}
	defer srv.Close()
	srv.CreateKey("alias/medical-key")

	kek := awskms.Key(srv.Client(), "alias/medical-key")
	wc := keymgr.WrapContext{Scope: keymgr.Scope{Domain: "medical"}}
	dataKey, wrapped, err := kek.GenerateDataKey(context.Background(), wc)
	if err != nil {
		panic(err)
	}
	again, err := kek.Unwrap(context.Background(), wrapped, wc)
	if err != nil {
		panic(err)
	}
	fmt.Println(kek.URI())
	fmt.Println(len(dataKey), string(dataKey) == string(again))
	for _, c := range srv.Calls() {
		fmt.Println(c.Operation, c.EncryptionContext)
	}
	// Output:
	// aws-kms:///alias/medical-key?region=eu-west-1
	// 32 true
	// GenerateDataKey map[fieldcrypt:domain:medical]
	// Decrypt map[fieldcrypt:domain:medical]
}
