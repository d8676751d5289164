# Fuzz targets: fuzz/README.md.

FUZZ_TARGETS := reference launch sif settings syslog origin
# The targets that `make fuzz` runs.
FUZZ ?= $(FUZZ_TARGETS)
RUNS ?= 10000000
# The targets contain only safe code, so the cost of a sanitizer is better spent on more runs; make
# asan covers the rest. With SANITIZER=address, RUSTC_BOOTSTRAP enables its flag on a stable
# toolchain.
SANITIZER ?= none
CARGO_FUZZ := $(TOOLS)/cargo-fuzz-0.13.1
FUZZ_DIRECTORY := $(TARGET)/fuzz

.PHONY: fuzz fuzz-check fuzz-build fuzz-tools

## make fuzz [FUZZ=launch] [RUNS=10000000]   fuzzes the parsers for hours
fuzz: fuzz-build
	fuzz/run $(FUZZ_DIRECTORY)/$(HOST_TRIPLE)/release $(RUNS) 0 $(FUZZ)

# Runs all inputs found so far, and a short search. There are no test targets, because the tests of
# the command's files that `syslog` includes are not available here. The build is not optimized,
# because an optimized build would take longer than the search.
fuzz-check: FUZZ_PROFILE := --dev
fuzz-check: fuzz-build
	fuzz/run $(FUZZ_DIRECTORY)/$(HOST_TRIPLE)/debug 200000 $(if $(SIFCACHE_THOROUGH),20,3) $(FUZZ_TARGETS)

fuzz-build: tools fuzz-tools
	$(if $(filter none,$(SANITIZER)),,RUSTC_BOOTSTRAP=1) SLURM_VERSION=$(ANY_RELEASE) PATH="$(CARGO_FUZZ)/bin:$$PATH" \
		$(CARGO) fuzz build $(FUZZ_PROFILE) --sanitizer $(SANITIZER) --target-dir $(FUZZ_DIRECTORY)

fuzz-tools:
	@$(NEED) g++:g++
	@[ -x $(CARGO_FUZZ)/bin/cargo-fuzz ] || { \
		CARGO_PROFILE_DEV_DEBUG=false $(CARGO_INSTALL) --debug --root $(CARGO_FUZZ) --version $(lastword $(subst -, ,$(CARGO_FUZZ))) cargo-fuzz; }
