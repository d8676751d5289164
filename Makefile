# sifcache: `make demo` and `make test` do everything on a fresh Debian 12 with git
# and a Rust toolchain, as root. Downloads and root file systems stay in .cache/.

# The release of the testbed's Slurm, once it is prepared. For your own cluster:
#   make plugin SLURM_VERSION=24.11
SLURM_VERSION ?=
CARGO ?= cargo
prefix ?= /usr/local
bindir ?= $(prefix)/bin
mandir ?= $(prefix)/share/man
docdir ?= $(prefix)/share/doc/sifcache
plugindir ?= $(prefix)/lib/slurm
# The shim and the interposer know their own directory, so it is chosen when they are built.
libexecdir ?= /usr/libexec
profiledir ?= /etc/profile.d
ifneq ($(libexecdir),/usr/libexec)
export SIFCACHE_LIBEXECDIR := $(libexecdir)/sifcache
endif

TESTBED := testbed/testbed
RELEASE := target/release
# A literal version, or what the prepared testbed prints; asked only where needed.
VERSION = $(or $(SLURM_VERSION),$(shell $(TESTBED) version))
SCRIPTS = $(shell git ls-files testbed .ci | xargs grep -lE '^\#!.*sh$$') profile.d/sifcache.sh

.PHONY: all help plugin command demo shell test lint unit e2e doc tools testbed install clean distclean

all: plugin command

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make plugin [SLURM_VERSION=24.11]  build target/release/libspank_sifcache.so, the shim, the interposer
## make command                       build target/release/sifcache
plugin: tools
	$(if $(SLURM_VERSION),SLURM_VERSION=$(SLURM_VERSION)) $(CARGO) build --locked --release -p spank-sifcache -p sifcache-preload

command: tools
	$(CARGO) build --locked --profile command -p sifcache
	install -D target/command/sifcache $(RELEASE)/sifcache

## make demo                          show the main job on a real cluster in a directory
demo: testbed build-for-testbed
	testbed/demo

## make shell                         a shell in such a cluster, to try things by hand
shell: testbed build-for-testbed
	testbed/try

## make test                          everything: lints, unit tests, end to end, the demo
test: testbed lint unit doc e2e
	testbed/check
	testbed/demo >/dev/null
	@echo "make test: all passed, with Slurm $(VERSION)"

lint: testbed
	$(CARGO) fmt --all --check
	SLURM_VERSION=$(VERSION) $(CARGO) clippy --locked --workspace --all-targets --all-features -- -D warnings
	shellcheck -x $(SCRIPTS)

unit: testbed
	SLURM_VERSION=$(VERSION) $(CARGO) test --locked --workspace

doc: testbed
	SLURM_VERSION=$(VERSION) RUSTDOCFLAGS='-D warnings -A rustdoc::private_intra_doc_links' $(CARGO) doc --locked --workspace --no-deps --document-private-items --quiet

e2e: testbed build-for-testbed
	SLURM_VERSION=$(VERSION) $(CARGO) test --locked --test e2e --no-run
	SLURM_VERSION=$(VERSION) $(TESTBED) with --nodes 2 -- \
		$(CARGO) test --locked --test e2e -- --ignored --test-threads=1

# Fault injection first: both builds have the same file name, and the one without stays.
.PHONY: build-for-testbed
build-for-testbed: testbed command
	SLURM_VERSION=$(VERSION) $(CARGO) build --locked --release --lib --features fault-injection
	mkdir -p $(RELEASE)/fault
	cp $(RELEASE)/libspank_sifcache.so $(RELEASE)/fault/
	SLURM_VERSION=$(VERSION) $(CARGO) build --locked --release -p spank-sifcache -p sifcache-preload

# What Debian has to bring besides the Rust toolchain, if it is not there.
tools:
	@command -v cc >/dev/null && command -v nm >/dev/null || { \
		echo 'installing gcc libc6-dev binutils'; \
		apt-get -qq update && apt-get -qq install -y gcc libc6-dev binutils >/dev/null; }

testbed: tools
	@command -v shellcheck >/dev/null || { \
		echo 'installing shellcheck'; \
		apt-get -qq update && apt-get -qq install -y shellcheck >/dev/null; }
	@$(TESTBED) prepare

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
	install -d $(DESTDIR)$(mandir)/man1
	$(RELEASE)/sifcache manpages $(DESTDIR)$(mandir)/man1
	install -d $(DESTDIR)$(prefix)/share/bash-completion/completions
	$(RELEASE)/sifcache completions bash >$(DESTDIR)$(prefix)/share/bash-completion/completions/sifcache
	install -d $(DESTDIR)$(prefix)/share/zsh/site-functions $(DESTDIR)$(prefix)/share/fish/vendor_completions.d
	$(RELEASE)/sifcache completions zsh >$(DESTDIR)$(prefix)/share/zsh/site-functions/_sifcache
	$(RELEASE)/sifcache completions fish >$(DESTDIR)$(prefix)/share/fish/vendor_completions.d/sifcache.fish
	install -d $(DESTDIR)$(docdir)/examples
	install -m 0644 examples/*.txt $(DESTDIR)$(docdir)/examples/

## make clean, make distclean         remove what was built; the root file systems too
clean:
	$(CARGO) clean

distclean: clean
	$(TESTBED) down --all
	rm -rf .cache
