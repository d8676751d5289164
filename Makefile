# sifcache: `make demo` and `make test` do everything on a fresh Debian 12 with git
# and a Rust toolchain, as root. Downloads and root file systems stay in .cache/.

# The release of Slurm to build for; none is the one whose headers are installed.
SLURM_VERSION ?=
# Those that are served, oldest first; build.rs knows the same.
SLURM_RELEASES := 20.11 21.08 22.05 23.02 23.11 24.05 24.11 25.05 25.11 26.05
# For lints and unit tests any will do.
ANY_RELEASE := $(lastword $(SLURM_RELEASES))
CARGO ?= cargo
prefix ?= /usr/local
bindir ?= $(prefix)/bin
mandir ?= $(prefix)/share/man
docdir ?= $(prefix)/share/doc/sifcache
plugindir ?= $(prefix)/lib/slurm
# The shim and the interposer know their own directory, so it is chosen when they are built.
libexecdir ?= /usr/libexec
sysconfdir ?= /etc
profiledir ?= $(sysconfdir)/profile.d
ifneq ($(libexecdir),/usr/libexec)
export SIFCACHE_LIBEXECDIR := $(libexecdir)/sifcache
endif

TESTBED := testbed/testbed
RELEASE := target/release
# The Debian release that the testbed's hosts have: sid, trixie, bookworm. Its release
# of Slurm, asked for only where needed, and the files under test built for that.
SUITE ?= sid
VERSION = $(shell $(TESTBED) version --suite $(SUITE))
BUILD = target/testbed/$(VERSION)
# Programs of cargo's that the project installs for itself.
TOOLS := $(or $(SIFCACHE_CACHE),$(CURDIR)/.cache)/tools
# Which end-to-end tests; all, if nothing is said.
TESTS ?=
# What is tried on the other releases of Slurm: everything that touches Slurm itself.
SMOKE := batch:: choice:: exports:: firewall:: hit:: miss:: names:: nested:: settings:: shapes::steps status::
SCRIPTS = $(shell git ls-files testbed packaging benches tests fuzz examples .ci | xargs grep -lE '^\#!.*sh$$') profile.d/sifcache.sh

.PHONY: all help plugin plugins host command demo shell test test-all lint unit e2e doc tools testbed install clean distclean

all: plugin command

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make plugin [SLURM_VERSION=24.11]  build target/release/libspank_sifcache.so, the shim, the interposer
## make command                       build target/release/sifcache
plugin: tools
	$(if $(SLURM_VERSION),SLURM_VERSION=$(SLURM_VERSION)) $(BUILD_PLUGIN)
	install -D $(LIBRARY) $(RELEASE)/libspank_sifcache.so
	$(if $(SLURM_VERSION),SLURM_VERSION=$(SLURM_VERSION)) $(BUILD_SHIM)
	$(CARGO) build --locked --release -p sifcache-preload

# As the shared library alone: together with the library for tests, as `cargo build` makes it,
# cargo leaves out the link-time optimization.
BUILD_PLUGIN = $(CARGO) rustc --locked --profile spank --lib --crate-type cdylib -p spank-sifcache
LIBRARY := target/spank/libspank_sifcache.so

# The shim runs before each launch of a script: without a loader it starts a quarter of a
# millisecond sooner, and needs no C library as new as that of the machine it was built on.
# Where there is no libc.a (glibc-static of RHEL and its like), it is linked as all else.
CAN_LINK_STATIC = $(shell echo 'int main(void){return 0;}' | cc -static -x c -o /dev/null - 2>/dev/null && echo yes)
BUILD_SHIM = $(CARGO) rustc --locked --release -p spank-sifcache --bin sifcache-shim -- \
	$(if $(CAN_LINK_STATIC),-C target-feature=+crt-static)

## make plugins                       build target/plugins/RELEASE/spank_sifcache.so for every release of Slurm
plugins: tools
	@set -e; for release in $(SLURM_RELEASES); do \
		SLURM_VERSION=$$release $(BUILD_PLUGIN) --quiet; \
		install -D -m 0755 $(LIBRARY) target/plugins/$$release/spank_sifcache.so; \
		echo "target/plugins/$$release/spank_sifcache.so"; \
	done

# Loads plugins as Slurm does, to time them and to break them: benches/host/README.md.
host: tools
	@benches/host/build target/host

command: tools
	$(CARGO) build --locked --profile command -p sifcache
	install -D target/command/sifcache $(RELEASE)/sifcache

## make demo                          show the main job on a real cluster in a directory
demo: build-for-testbed
	testbed/demo $(BUILD)/libspank_sifcache.so $(BUILD)/sifcache

## make shell [SUITE=trixie]          a shell in such a cluster, to try things by hand
shell: build-for-testbed
	SIFCACHE_TESTBED_SUITE=$(SUITE) testbed/try $(BUILD)

## make test                          everything: lints, unit tests, end to end, the demo; all on the
##                                    newest Slurm, and what touches Slurm on two older ones
test: lint unit doc plugins asan fuzz-check e2e packages-check
	$(MAKE) --no-print-directory dist-check DIST_TARGETS=
	$(MAKE) --no-print-directory e2e SUITE=trixie TESTS='$(SMOKE)'
	$(MAKE) --no-print-directory e2e SUITE=bookworm TESTS='$(SMOKE)'
	testbed/check
	testbed/demo $(BUILD)/libspank_sifcache.so $(BUILD)/sifcache >/dev/null
	@echo "make test: all passed, with Slurm $(VERSION)"

## make test-all                      the same, with all end-to-end tests on each of the three
test-all: lint unit doc plugins asan fuzz-check packages-check
	$(MAKE) --no-print-directory dist-check DIST_TARGETS=all
	$(MAKE) --no-print-directory e2e SUITE=bookworm
	$(MAKE) --no-print-directory e2e SUITE=trixie
	$(MAKE) --no-print-directory e2e SUITE=sid
	testbed/check

lint: testbed
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	SLURM_VERSION=$(ANY_RELEASE) $(CARGO) clippy --locked --workspace --all-targets --all-features -- -D warnings
	shellcheck -x $(SCRIPTS)

unit: tools
	SLURM_VERSION=$(ANY_RELEASE) $(CARGO) test --locked --workspace

doc: tools
	SLURM_VERSION=$(ANY_RELEASE) RUSTDOCFLAGS='-D warnings -A rustdoc::private_intra_doc_links' $(CARGO) doc --locked --workspace --no-deps --document-private-items --quiet

## make e2e [SUITE=bookworm] [TESTS=hit::]  the end-to-end tests alone
e2e: build-for-testbed
	SLURM_VERSION=$(ANY_RELEASE) $(CARGO) test --locked --test e2e --no-run
	SIFCACHE_BUILD=$(CURDIR)/$(BUILD) SLURM_VERSION=$(ANY_RELEASE) \
		$(TESTBED) with --suite $(SUITE) --nodes 3 -- \
		$(CARGO) test --locked --test e2e -- --ignored --test-threads=1 $(TESTS)

## make soak [STEPS=20000] [WITHOUT=1] many short steps of two users, none of them lost: about 20 minutes;
##                                    without the plugin, to compare
.PHONY: soak
STEPS ?= 20000
soak: build-for-testbed
	BUILD=$(CURDIR)/$(BUILD) $(TESTBED) with --suite $(SUITE) --nodes 2 -- tests/soak/soak $(STEPS) $(if $(WITHOUT),without)

# The plugin with fault injection has the same file name as the one without.
.PHONY: build-for-testbed
build-for-testbed: testbed command
	SLURM_VERSION=$(VERSION) $(BUILD_PLUGIN) --features fault-injection
	install -D $(LIBRARY) $(BUILD)/fault/libspank_sifcache.so
	SLURM_VERSION=$(VERSION) $(BUILD_PLUGIN)
	SLURM_VERSION=$(VERSION) $(BUILD_SHIM)
	$(CARGO) build --locked --release -p sifcache-preload -p faultfs
	install -t $(BUILD) $(LIBRARY) $(addprefix $(RELEASE)/,sifcache-shim libsifcache_preload.so sifcache faultfs)

# What Debian has to bring besides the Rust toolchain, if it is not there.
tools:
	@command -v cc >/dev/null && command -v nm >/dev/null || { \
		echo 'installing gcc libc6-dev binutils'; \
		apt-get -qq update && apt-get -qq install -y gcc libc6-dev binutils >/dev/null; }

testbed: tools
	@command -v shellcheck >/dev/null || { \
		echo 'installing shellcheck'; \
		apt-get -qq update && apt-get -qq install -y shellcheck >/dev/null; }
	@$(TESTBED) prepare --suite $(SUITE)

## make install [DESTDIR=] [prefix=/usr/local] [plugindir=$(prefix)/lib/slurm] [libexecdir=/usr/libexec]
install: all
	$(MAKE) --no-print-directory install-files

# Without building anything; RELEASE says where the built files are.
.PHONY: install-files
install-files:
	install -D -m 0755 $(RELEASE)/libspank_sifcache.so $(DESTDIR)$(plugindir)/spank_sifcache.so
	install -D -m 0755 $(RELEASE)/sifcache-shim $(DESTDIR)$(libexecdir)/sifcache/sifcache-shim
	install -D -m 0755 $(RELEASE)/libsifcache_preload.so $(DESTDIR)$(libexecdir)/sifcache/libsifcache_preload.so
	install -d $(DESTDIR)$(libexecdir)/sifcache/bin
	ln -sfn ../sifcache-shim $(DESTDIR)$(libexecdir)/sifcache/bin/apptainer
	ln -sfn ../sifcache-shim $(DESTDIR)$(libexecdir)/sifcache/bin/singularity
	install -d $(DESTDIR)$(profiledir)
	sed 's|/usr/libexec/|$(libexecdir)/|g' profile.d/sifcache.sh >$(DESTDIR)$(profiledir)/zz-sifcache.sh
	sed 's|/usr/libexec/|$(libexecdir)/|g' profile.d/sifcache.csh >$(DESTDIR)$(profiledir)/zz-sifcache.csh
	chmod 0644 $(DESTDIR)$(profiledir)/zz-sifcache.sh $(DESTDIR)$(profiledir)/zz-sifcache.csh
	install -D -m 0755 $(RELEASE)/sifcache $(DESTDIR)$(bindir)/sifcache
	install -D -m 0644 plugstack.conf.example $(DESTDIR)$(docdir)/plugstack.conf.example
	install -m 0644 README.md CHANGELOG.md SECURITY.md LICENSE-MIT LICENSE-APACHE $(DESTDIR)$(docdir)/
	install -D -m 0644 -t $(DESTDIR)$(docdir)/docs docs/*.md
	# The admin's own stays.
	[ -e $(DESTDIR)$(sysconfdir)/slurm/plugstack.conf.d/sifcache.conf ] || \
		install -D -m 0644 -t $(DESTDIR)$(sysconfdir)/slurm/plugstack.conf.d plugstack.conf.d/sifcache.conf
	install -d $(DESTDIR)$(mandir)/man1
	$(RELEASE)/sifcache manpages $(DESTDIR)$(mandir)/man1
	install -d $(DESTDIR)$(prefix)/share/bash-completion/completions
	$(RELEASE)/sifcache completions bash >$(DESTDIR)$(prefix)/share/bash-completion/completions/sifcache
	install -d $(DESTDIR)$(prefix)/share/zsh/site-functions $(DESTDIR)$(prefix)/share/fish/vendor_completions.d
	$(RELEASE)/sifcache completions zsh >$(DESTDIR)$(prefix)/share/zsh/site-functions/_sifcache
	$(RELEASE)/sifcache completions fish >$(DESTDIR)$(prefix)/share/fish/vendor_completions.d/sifcache.fish
	install -d $(DESTDIR)$(docdir)/examples
	install -m 0644 examples/*.txt $(DESTDIR)$(docdir)/examples/
	install -m 0755 examples/fuse-health-check $(DESTDIR)$(docdir)/examples/

include packaging/packages.mk
include packaging/dependencies.mk
include benches/benches.mk
include fuzz/fuzz.mk
include tests/memory.mk
include tests/mutants.mk

## make clean, make distclean         remove what was built; the root file systems too
clean:
	$(CARGO) clean

distclean: clean
	$(TESTBED) down --all
	rm -rf .cache
