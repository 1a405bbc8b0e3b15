# backplane's targets. CONTRIBUTING.md says what each is for; `make` alone lists them.

GO      ?= go
# Linters are pinned in a module of their own, so that the library's go.mod stays light.
LINTERS := bin/golangci-lint bin/staticcheck bin/govulncheck
BENCH   ?= .
DURATION ?= 30m

.PHONY: help test race sim mutants torture lint fmt-check fuzz-smoke bench e2e demo seeds generate-check guest-check conformance clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "%-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

test: ## unit tests, no race detector (under 3 minutes)
	$(GO) test ./...

race: ## unit tests under the race detector, with invariants checked
	GOTRACEBACK=all $(GO) test -race -timeout 20m ./...

sim: ## the simulator alone, longer than in unit tests (SIM_RUNS interleavings of each scenario)
	tools/sim

mutants: ## bugs planted on purpose: each has to be found by a test
	tools/mutants

torture: ## the nightly run: torment the core for DURATION, with fresh seeds
	tools/torture $(DURATION)

lint: fmt-check $(LINTERS) ## gofmt, vet, golangci-lint, staticcheck, govulncheck
	$(GO) vet ./...
	bin/golangci-lint run ./...
	bin/staticcheck ./...
	tools/vulncheck

fmt-check: ## fail if a file is not gofmt'ed
	@out=$$(git ls-files -co --exclude-standard '*.go' | xargs -r gofmt -l); \
	if [ -n "$$out" ]; then echo "not gofmt'ed:"; echo "$$out"; exit 1; fi

bin/%: tools/go.mod tools/go.sum
	@mkdir -p bin
	cd tools && $(GO) build -o ../bin/ $$($(GO) list tool | grep '/$*$$')

fuzz-smoke: ## every fuzz target: 30 s the required ones, a few seconds the rest
	tools/fuzz-smoke

bench: ## benchmarks with allocations (BENCH=regexp selects)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...

e2e: ## end-to-end tests of the binary, in the module test/
	cd test && $(GO) vet ./... && $(GO) test -timeout 30m ./...

demo: ## plug and unplug a disk in a running guest, and show the timeline
	$(GO) run ./cmd/backplane demo

seeds: ## find the failing schedules of internal/scenario, and the table of docs/scenarios, anew
	$(GO) test ./internal/scenario -count=1 -run 'TestSeeds|TestPages' -update

generate-check: ## regenerate code and fail if anything changes
	tools/generate-check

guest-check: ## rebuild the demo guest and compare it with the committed ELF
	$(MAKE) -C guest/demo check

conformance: ## hold qmptest's conversations with a server (QMP=unix:PATH or tcp:HOST:PORT)
	cd test && QMP_SERVER='$(QMP)' $(GO) test -count=1 -run 'TestConformance/server' -v .

clean: ## remove built tools and binaries
	rm -rf bin .cache
