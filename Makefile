# The tests need Go and, for those that use a database, Postgres: .ci/postgres
# finds or installs it. make without a target prints what there is to make.

# Soak tests (func TestSoak...) read FIELDCRYPT_SOAK: unset, they are skipped;
# "short", they take seconds each; "long", they take as long as they need.
SOAK_TIMEOUT ?= 12h

# How long each fuzz target runs, and which benchmarks do.
FUZZTIME ?= 1m
BENCH ?= .

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
SQLC = github.com/sqlc-dev/sqlc/cmd/sqlc@v1.31.1

.PHONY: help test race lint generate generated ci containers postgres-versions soak bench fuzz vectors api verify

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-17s %s\n", $$1, $$2 }' Makefile

test: ## run the tests, after seeing to it that there is a Postgres
	@.ci/test

race: ## the same with the race detector (needs a C compiler)
	@.ci/test -race

lint: ## gofmt, go vet and staticcheck
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "gofmt -w:" $$unformatted; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...
	cd testcontainers && go vet ./...
	cd testcontainers && go run $(STATICCHECK) ./...
	cd internal/oldtink && go vet .

generate: ## write the code of examples/sqlc anew (needs a C compiler, and minutes the first time)
	go test ./examples/sqlc -run '^TestSchemaIsCurrent$$' -count=1 -generate
	cd examples/sqlc && go run $(SQLC) generate

generated: ## fail if generated code is not current
	cd examples/sqlc && go run $(SQLC) diff

ci: lint generated ## what the CI runs: lint, generated code, then the tests with the race detector and a short soak
	@FIELDCRYPT_TEST_ROOT_ONLY=1 FIELDCRYPT_SOAK=short .ci/test -race

containers: ## testcontainers/, twice, and the tests that use Postgres in containers (needs an engine, or root on Debian)
	@.ci/engine .ci/containers

postgres-versions: ## the tests that use Postgres on 14 to 18: installed ones, npm's or images
	@.ci/engine .ci/versions 14 15 16 17 18 || { test $$? = 69 && .ci/versions 14 15 16 17 18; }

soak: ## the long tests: a million rows, hundreds of rounds
	@FIELDCRYPT_SOAK=long .ci/test -run '^TestSoak' -timeout $(SOAK_TIMEOUT)

bench: ## run the benchmarks (BENCH=regexp)
	go test -run '^$$' -bench '$(BENCH)' -benchmem ./...

fuzz: ## run each fuzz target for FUZZTIME, one minute unless told otherwise
	@.ci/fuzz $(FUZZTIME)

vectors: ## add the test vectors that are missing; those that are there never change
	@packages=$$(.ci/packages 'flag.Bool("update"') && set -x && go test $$packages -run '^TestVectors' -update

api: ## write each api.txt anew, after a change of the exported API on purpose
	go test ./internal/policy -run '^TestAPI$$' -update

verify: ci fuzz soak ## everything, before a release
	go mod verify
	go mod tidy -diff
	cd testcontainers && go mod verify && go mod tidy -diff
	GOOS=darwin GOARCH=arm64 go vet ./...
	GOOS=windows GOARCH=amd64 go vet ./...
