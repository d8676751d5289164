# Fuzz targets: fuzz/README.md.

FUZZ_TARGETS := reference launch sif settings syslog origin layer_tar layer_merge squashfs_reader queue \
	message
# The targets that `make fuzz` runs.
FUZZ ?= $(FUZZ_TARGETS)
# The targets contain only safe code, so the cost of a sanitizer is better spent on more runs; make
# asan covers the rest. With SANITIZER=address, RUSTC_BOOTSTRAP enables its flag on a stable
# toolchain.
SANITIZER ?= none
CARGO_FUZZ := $(TOOLS)/cargo-fuzz-0.13.1
FUZZ_DIRECTORY := $(TARGET)/fuzz

.PHONY: fuzz fuzz-check fuzz-build fuzz-compiler fuzz-tools

## make fuzz [FUZZ=launch] [RUNS=10000000]   fuzzes the parsers for hours
fuzz: fuzz-build
	fuzz/run $(FUZZ_DIRECTORY)/$(HOST_TRIPLE)/release $(or $(RUNS),10000000) 0 $(FUZZ)

# Runs all inputs found so far, and a short search. There are no test targets, because the tests of
# the command's files that `syslog` includes are not available here. The build is not optimized,
# because an optimized build would take longer than the search, and neither does it need cargo-fuzz,
# whose own build would take almost as long.
fuzz-check: tools fuzz-compiler
	RUSTFLAGS='$(RUSTFLAGS) $(INSTRUMENTED)' SLURM_VERSION=$(ANY_RELEASE) $(CARGO) build --locked \
		--manifest-path fuzz/Cargo.toml --target $(HOST_TRIPLE) --target-dir $(FUZZ_DIRECTORY)
	fuzz/run $(FUZZ_DIRECTORY)/$(HOST_TRIPLE)/debug 200000 $(if $(SIFCACHE_THOROUGH),20,1) $(FUZZ_TARGETS)

# The flags that cargo-fuzz 0.13 passes for a build without a sanitizer.
COVERAGE := level=4 inline-8bit-counters pc-table trace-compares
INSTRUMENTED := --cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module \
	$(addprefix -Cllvm-args=-sanitizer-coverage-,$(COVERAGE))

fuzz-build: tools fuzz-tools
	$(if $(filter none,$(SANITIZER)),,RUSTC_BOOTSTRAP=1) SLURM_VERSION=$(ANY_RELEASE) PATH="$(CARGO_FUZZ)/bin:$$PATH" \
		$(CARGO) fuzz build --sanitizer $(SANITIZER) --target-dir $(FUZZ_DIRECTORY)

# libfuzzer-sys compiles libFuzzer from C++.
fuzz-compiler:
	@$(NEED) g++:g++
fuzz-tools: fuzz-compiler
	@[ -x $(CARGO_FUZZ)/bin/cargo-fuzz ] || { \
		CARGO_PROFILE_DEV_DEBUG=false $(CARGO_INSTALL) --debug --root $(CARGO_FUZZ) --version $(lastword $(subst -, ,$(CARGO_FUZZ))) cargo-fuzz; }
