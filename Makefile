# One command for each job; `make` alone lists them.

# cargo-deny is built once per machine, outside target/, so that `cargo clean` and fresh clones keep it.
DENY_VERSION := 0.20.2
DENY_ROOT := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/rapier-physics-service/cargo-deny-$(DENY_VERSION)
DENY := $(DENY_ROOT)/bin/cargo-deny

# The predecessor's Python client, which the service tests drive unmodified.
CLIENT_VERSION := 0.5.1
CLIENT := target/python-client/.installed-$(CLIENT_VERSION)

# The fuzzer that reads the OpenAPI document, and the validator of such documents.
FUZZER_VERSION := 4.32.5
VALIDATOR_VERSION := 0.9.0
FUZZER := target/fuzzer/.installed-$(FUZZER_VERSION)-$(VALIDATOR_VERSION)

SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

.DEFAULT_GOAL := help
.PHONY: check test fuzz chaos soak storm sim mutants examples run bench overload deny doc image help system

# What `make chaos` does unless told otherwise.
SECONDS := 60
FAULTS := all
RUNS := 1
# How long `make soak` lasts, of whose instances one is compared with itself.
MINUTES := 20

check: system ## format, clippy, rustdoc (warnings are errors), dependencies
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	$(MAKE) --no-print-directory doc deny

test: system $(CLIENT) $(FUZZER) ## every test; installs what is missing first
	cargo test --locked

fuzz: system $(FUZZER) ## every operation against tens of thousands of made-up requests, for minutes
	cargo test --locked --test service fuzz:: -- --ignored --nocapture

chaos: system ## a fleet under seeded faults: SEED=1 SECONDS=60 FAULTS=all RUNS=1
	cargo test --locked --test chaos -- --seed $(or $(SEED),1) --seconds $(SECONDS) --faults $(FAULTS) --runs $(RUNS) --results $(CURDIR)/target/chaos/$(or $(SEED),1)-$(RUNS)x$(SECONDS).jsonl $(BINARY:%=--binary %)

soak: system ## minutes with a fault in each, and an instance that must not grow: MINUTES=20 SEED=1
	cargo test --locked --test chaos -- --seed $(or $(SEED),1) --soak $(MINUTES) --growth $(CURDIR)/target/chaos/soak-$(or $(SEED),1).json $(BINARY:%=--binary %)

storm: export STORM_SIMULATIONS := $(or $(SIMULATIONS),1000)
storm: export STORM_CLIENTS := 64
storm: export STORM_LEASE_MS := 6000
storm: system ## the owner of SIMULATIONS=1000 is killed, and then one whose host is gone: until when all answer
	cargo test --locked --test service takeover_storm:: -- --nocapture --test-threads 1

# Optimised, but with every assertion, and the dependencies are those of the tests. It reads SEEDS, SEED and JOBS from
# the environment, where make puts what it is given.
sim: export CARGO_PROFILE_DEV_OPT_LEVEL := 1
sim: ## the protocol against a store that fails: SEEDS=n seeds, or SEED=n to read one
	@cargo test --locked --quiet --test sim

mutants: ## whether the simulator finds bugs that are planted
	@tests/mutants/run

run: ## the release build on port 9000
	cargo run --release --locked

examples: system ## every example of the documents, against a service of its own
	cargo build --locked
	python3 docs/examples/run.py --binary target/debug/rapier-physics-service

bench: ## throughput and latency beside raw Rapier and a bare axum route
	cargo bench --locked --bench service

overload: ## what gets through when five times too much is asked for, and who waits for whom: BENCH_SECONDS=4
	BENCH_OUTPUT=target/overload.json cargo bench --locked --bench service -- overload
	BENCH_OUTPUT=target/tenants.json cargo bench --locked --bench service -- tenants

deny: $(DENY) ## licences, duplicate versions and sources of the dependencies
	cargo fetch --locked --quiet
	$(DENY) --locked --offline check bans licenses sources

doc: ## the code's documentation, in target/doc
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

image: ## the container image
	docker build --tag rapier-physics-service .

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

# Rust links with cc, jemalloc is C, Debian keeps venv apart from Python, tests start Redis servers of their own, and
# examples are told in curl. Linking a program is the test because a gcc without the C headers is a common half-installed state.
system:
	@need=; \
	printf '#include <stdlib.h>\nint main(void) { return 0; }\n' | cc -x c - -o /dev/null 2>/dev/null || need="gcc libc6-dev"; \
	python3 -c 'import ensurepip, venv' 2>/dev/null || need="$$need python3-venv"; \
	command -v redis-server >/dev/null || need="$$need redis-server"; \
	command -v curl >/dev/null || need="$$need curl"; \
	[ -z "$$need" ] || { echo "installing $$need" && $(SUDO) apt-get update -q && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$need; }

# Unoptimised and without debug information: its release profile links with fat LTO, and a run takes seconds anyway.
$(DENY):
	CARGO_PROFILE_DEV_DEBUG=0 cargo install cargo-deny --version $(DENY_VERSION) --locked --debug --root $(DENY_ROOT)

$(CLIENT):
	rm -rf target/python-client
	python3 -m venv target/python-client
	target/python-client/bin/pip install --quiet --disable-pip-version-check chuk-mcp-physics==$(CLIENT_VERSION)
	touch $@

$(FUZZER):
	rm -rf target/fuzzer
	python3 -m venv target/fuzzer
	target/fuzzer/bin/pip install --quiet --disable-pip-version-check schemathesis==$(FUZZER_VERSION) openapi-spec-validator==$(VALIDATOR_VERSION)
	touch $@
