// Command gendata makes testdata/patients.csv, the made-up patients of the
// quickstart. The same seed makes the same bytes.
//
//	go run ./examples/quickstart/gendata -o examples/quickstart/testdata/patients.csv
package main

import (
	"flag"
	"log"
	"os"
)

// The committed file was made with these.
const (
	defaultSeed  = 20240229
	defaultCount = 1000
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("gendata: ")
	out := flag.String("o", "testdata/patients.csv", "the file to write")
	seed := flag.Uint64("seed", defaultSeed, "the same seed makes the same patients")
	count := flag.Int("n", defaultCount, "how many patients")
	flag.Parse()
	if flag.NArg() > 0 || *count < 0 {
		flag.Usage()
		os.Exit(2)
	}
	data, err := generate(*seed, *count)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(*out, data, 0o644); err != nil {
		log.Fatal(err)
	}
}
