// Command kmsserver is awskmstest as a program: the server that image/kms puts into
// an image, for the tests of what users do with a KMS in a container.
package main

import (
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/fieldcrypt/go/keymgr/awskms/awskmstest"
)

func main() {
	server, err := awskmstest.New(awskmstest.Config{Addr: ":8080"})
	if err != nil {
		log.Fatal(err)
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
	<-end
	server.Close()
}
