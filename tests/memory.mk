# Memory checkers: the address sanitizer, valgrind, Miri.

HOST_TRIPLE = $(shell rustc -vV | sed -n 's/^host: //p')

.PHONY: asan valgrind valgrind-tools miri

# The sanitizer is part of the toolchain, and stable toolchains accept its flag with
# RUSTC_BOOTSTRAP. The program that loads the plugin has to be linked with rustc's own runtime of
# the sanitizer, because both must match. The build has its own directory: with RUSTC_BOOTSTRAP the
# build scripts and procedural macros differ, and would replace those of other builds.
ASAN_RUNTIME = $(wildcard $(shell rustc --print target-libdir)/librustc-*_rt.asan.a)
ASAN_TEST = RUSTC_BOOTSTRAP=1 SLURM_VERSION=$(ANY_RELEASE) \
	RUSTFLAGS='--cfg watched_memory -Zsanitizer=address -Zrandomize-layout -Zextra-const-ub-checks' \
	CFLAGS='-O1 -g -Wl,--whole-archive,$(ASAN_RUNTIME),--no-whole-archive -lm' \
	$(CARGO) test --quiet --locked --target-dir $(TARGET)/asan --target $(HOST_TRIPLE)
# These tests are skipped, because the sanitizer's runtime handles signals itself, and does not
# start under such limits.
ASAN_SKIP := --skip inherited::limits --skip inherited::signals --skip inherited::one_further_descriptor

## make asan [ASAN_SHIM=]            the plugin and the shim under the address sanitizer
ASAN_SHIM ?= yes
asan: tools
	@[ -n '$(ASAN_RUNTIME)' ] || { echo 'this Rust toolchain has no address sanitizer' >&2; exit 1; }
	@$(ASAN_TEST) --lib -- --ignored spank::argv::tests::the_memory_checker_is_active 2>&1 | grep -q 'heap-buffer-overflow' || { \
		echo 'the address sanitizer does not report an error that it must report' >&2; exit 1; }
	@$(ASAN_TEST) --lib -- --ignored spank::helper_process::tests::the_memory_checker_is_active 2>&1 | \
		grep -q 'an error in a helper process' || { \
		echo 'the address sanitizer does not report an error in a helper process' >&2; exit 1; }
	$(ASAN_TEST) --lib
	$(ASAN_TEST) --test host -- --include-ignored memory::
	$(if $(ASAN_SHIM),$(ASAN_TEST) --test shim -- $(ASAN_SKIP))

## make valgrind                      the plugin under valgrind; takes some minutes
valgrind: tools valgrind-tools
	RUSTFLAGS='--cfg watched_memory' SIFCACHE_HOST_UNDER='valgrind --quiet --leak-check=full' SLURM_VERSION=$(ANY_RELEASE) \
		$(CARGO) test --locked --test host -- --include-ignored memory::

valgrind-tools:
	@$(NEED) valgrind:valgrind

## make miri [MIRI=+nightly]          core, the argv entries of a command and the arena under Miri, if it is installed
MIRI ?= +nightly
miri: tools
	@$(CARGO) $(MIRI) miri --version >/dev/null 2>&1 || { \
		echo 'Miri is not installed, so nothing was run: it is a component of nightly toolchains only,' >&2; \
		echo 'rustup toolchain install nightly --component miri,rust-src' >&2; exit 1; }
	PROPTEST_CASES=16 MIRIFLAGS='-Zmiri-strict-provenance -Zmiri-disable-isolation' \
		$(CARGO) $(MIRI) miri test --locked --no-fail-fast -p sifcache-core --lib
	RUSTFLAGS='--cfg watched_memory' MIRIFLAGS=-Zmiri-strict-provenance SLURM_VERSION=$(ANY_RELEASE) \
		$(CARGO) $(MIRI) miri test --locked -p spank-sifcache --lib spank::argv
# One thread may reuse memory that another thread has released. These tests run with several
# schedules, and with the aliasing rules that allow such reuse.
	MIRIFLAGS='-Zmiri-strict-provenance -Zmiri-tree-borrows -Zmiri-ignore-leaks -Zmiri-many-seeds=0..8' SLURM_VERSION=$(ANY_RELEASE) \
		$(CARGO) $(MIRI) miri test --locked -p spank-sifcache --lib spank::arena
