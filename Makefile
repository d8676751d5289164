# sifcache: as root on a fresh Debian 12 with git and a Rust toolchain, `make demo` and `make test`
# install everything else that they need. Downloads and root file systems stay in .cache/.

# The release of Slurm to build for. If it is empty, the release of the installed headers is used.
SLURM_VERSION ?=
# The supported releases, oldest first; build.rs has the same list.
SLURM_RELEASES := 20.11 21.08 22.05 23.02 23.11 24.05 24.11 25.05 25.11 26.05
# Any release will do for lints and unit tests.
ANY_RELEASE := $(lastword $(SLURM_RELEASES))
CARGO ?= cargo
prefix ?= /usr/local
bindir ?= $(prefix)/bin
mandir ?= $(prefix)/share/man
docdir ?= $(prefix)/share/doc/sifcache
plugindir ?= $(prefix)/lib/slurm
# The shim and the interposer are installed below this directory, and its path is compiled into
# them.
libexecdir ?= /usr/libexec
sysconfdir ?= /etc
profiledir ?= $(sysconfdir)/profile.d
# systemd also looks for units in /usr/local/lib.
unitdir ?= $(prefix)/lib/systemd/system
UNITS := $(wildcard packaging/*/*.service packaging/*/*.timer)
# A directory for MODULEPATH, which has only the modulefile of sifcache.
modulefilesdir ?= $(prefix)/share/sifcache/modulefiles
# The runtimes for which shims are installed: those that `runtimes=` in plugstack.conf lists.
runtimes ?= apptainer singularity
ifneq ($(libexecdir),/usr/libexec)
export SIFCACHE_LIBEXECDIR := $(libexecdir)/sifcache
endif

TESTBED := testbed/testbed
# cargo's build directory, which cargo's own variables can change. All build paths below depend on
# it.
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),$(CARGO_BUILD_TARGET_DIR),target))
# If CARGO_BUILD_TARGET is set to a target triple, cargo uses a subdirectory of that name.
BUILT := $(TARGET)$(if $(CARGO_BUILD_TARGET),/$(CARGO_BUILD_TARGET))
RELEASE := $(BUILT)/release
export CARGO_TARGET_DIR := $(TARGET)
# For the end-to-end tests.
export SIFCACHE_TARGET := $(TARGET)
# The Debian release of the testbed's hosts: sid, trixie, bookworm. VERSION is the release of Slurm
# on these hosts, which is queried only where it is needed. BUILD is the directory of the files
# under test that were built for it.
SUITE ?= sid
VERSION = $(shell $(TESTBED) version --suite $(SUITE))
BUILD = $(TARGET)/testbed/$(VERSION)
# cargo programs that the project installs for itself. They are built for this machine, whatever the
# target of the build is.
TOOLS := $(or $(SIFCACHE_CACHE),$(CURDIR)/.cache)/tools
CARGO_INSTALL := env -u CARGO_BUILD_TARGET -u RUSTFLAGS $(CARGO) install --quiet --locked
# Installs the Debian packages of missing programs.
NEED := testbed/need
# A filter for the end-to-end tests; if it is empty, all tests run.
TESTS ?=
# The directory of a SingularityCE on this machine that replaces Apptainer in the tests of native fills
# and of pulls as `singularity`; if it is empty, these tests run Apptainer.
SINGULARITY ?=
# The tests that also run on the other releases of Slurm: all tests that involve Slurm itself.
SMOKE := batch:: broadcast:: cache_mode:: containers:: exports:: firewall:: hit:: metrics::hits miss:: names:: namespaces:: nested:: settings:: shapes::steps status:: duplicate_lines:: \
	listener::jobs::a_job listener::jobs::one_request listener::two_users waiting::ended waiting::signals waiting::the_real_filler
# Only trixie has Lmod.
SMOKE_trixie = $(if $(SMOKE),login_node::)
# Scripts, and the files that scripts and shells read: those do not begin with `#!`.
SCRIPTS = $(sort $(shell git ls-files '*.sh') \
	$(shell git ls-files testbed packaging benches tests fuzz examples findings docs/site .ci | xargs grep -lE '^\#!.*sh$$'))

.PHONY: all help plugin plugins host command demo shell lint unit e2e doc tools testbed install clean distclean

all: plugin command

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make plugin [SLURM_VERSION=24.11]  build target/release/libspank_sifcache.so, the shim, the interposer
## make command                       build target/release/sifcache
plugin: tools
	$(if $(SLURM_VERSION),SLURM_VERSION=$(SLURM_VERSION)) $(BUILD_SHIM)
	$(BUILD_PRELOAD)
	$(if $(SLURM_VERSION),SLURM_VERSION=$(SLURM_VERSION)) $(BUILD_PLUGIN)
	install -D -t $(RELEASE) $(LIBRARY) $(ON_NODES)

# Everything that is loaded into Slurm and into jobs shares one profile, so its dependencies are
# built once.
SPANK := $(BUILT)/spank
# Builds only the shared library. If it is built together with the library for tests, as `cargo
# build` does, cargo omits link-time optimization. Building the shim also builds that library, so
# the plugin comes last.
BUILD_PLUGIN = $(CARGO) rustc --locked --profile spank --lib --crate-type cdylib -p spank-sifcache
LIBRARY := $(SPANK)/libspank_sifcache.so
# The shim and the interposer are the same for each release of Slurm.
ON_NODES := $(SPANK)/sifcache-shim $(SPANK)/libsifcache_preload.so
BUILD_PRELOAD = $(CARGO) build --locked --profile spank -p sifcache-preload

# The shim runs before each launch in a script. Linked statically, it starts a quarter of a
# millisecond sooner, and does not need a C library as new as that of the build machine. Without
# libc.a (glibc-static on RHEL and similar systems), it is linked dynamically.
CAN_LINK_STATIC = $(shell echo 'int main(void){return 0;}' | cc -static -x c -o /dev/null - 2>/dev/null && echo yes)
# A static program relocates itself when it starts. Packed relocations make that faster; glibc
# supports them in static programs from 2.36 on.
CAN_PACK = $(shell getconf GNU_LIBC_VERSION 2>/dev/null | \
	awk '{ split($$2, part, "."); if (part[1] * 1000 + part[2] >= 2036) print "yes" }')
PACKED = -C link-arg=-Wl,-z,pack-relative-relocs
STATIC = -C target-feature=+crt-static $(if $(CAN_PACK),$(PACKED))
BUILD_SHIM = $(CARGO) rustc --locked --profile spank -p spank-sifcache --bin sifcache-shim -- \
	$(if $(CAN_LINK_STATIC),$(STATIC))

## make plugins                       build target/plugins/RELEASE/spank_sifcache.so for every release of Slurm
plugins: tools
	@set -e; for release in $(SLURM_RELEASES); do \
		SLURM_VERSION=$$release $(BUILD_PLUGIN) --quiet; \
		install -D -m 0755 $(LIBRARY) $(call plugin_for,$$release); \
		echo "$(call plugin_for,$$release)"; \
	done
plugin_for = $(TARGET)/plugins/$(1)/spank_sifcache.so

# Installs the files that `plugin` makes, after `plugins` and another build have made them. cargo
# keeps the plugin for only one release, and each change of the release costs two more link-time
# optimizations.
.PHONY: built-plugin
built-plugin:
	install -D -t $(RELEASE) $(ON_NODES)
	install $(call plugin_for,$(SLURM_VERSION)) $(RELEASE)/$(notdir $(LIBRARY))

# Loads plugins like Slurm does, to measure them and to inject faults: benches/host/README.md.
host: tools
	@benches/host/build $(TARGET)/host

# A floor that is written in Rust: benches/firewall.
.PHONY: firewall
firewall: host
	$(CARGO) rustc --locked --profile spank --lib -p panic-firewall
	install -m 0644 $(SPANK)/libpanic_firewall.so $(TARGET)/host/firewall.so

command: tools
	$(CARGO) build --locked --profile command -p sifcache
	install -D $(BUILT)/command/sifcache $(RELEASE)/sifcache

# The command for tests. An optimized build takes three minutes of processor time, and the unit
# tests need all of this build anyway. It is not placed in $(RELEASE), where `make install` would
# find it.
.PHONY: debug-command
debug-command: tools
	SLURM_VERSION=$(ANY_RELEASE) $(CARGO) build --locked --workspace --bin sifcache
	install -D --strip $(BUILT)/debug/sifcache $(FOR_TESTS)/sifcache
FOR_TESTS := $(TARGET)/testbed/release
TESTED_COMMAND = $(if $(SIFCACHE_THOROUGH),command,debug-command)
TESTED_RELEASE = $(if $(SIFCACHE_THOROUGH),$(RELEASE),$(FOR_TESTS))

## make demo                          show the main job on a real cluster in a directory
demo: demo-parts
# The release of Slurm is known now. If it is the newest supported one, nothing is left to build.
	@SLURM_VERSION=$(VERSION) $(DEMO_BUILD)
	testbed/demo $(BUILT)/debug/libspank_sifcache.so $(BUILT)/debug/sifcache

# This build has no optimization, which takes most of the build time and makes no difference here.
# The root file system is built at the same time.
.PHONY: demo-parts demo-build demo-cluster demo-engine
demo-parts:
	@$(MAKE) --no-print-directory --silent -j demo-cluster demo-build demo-engine
demo-build: tools
	@SLURM_VERSION=$(ANY_RELEASE) testbed/step 'building the plugin and the command' $(DEMO_BUILD)
# Installs the engine for the Python of sid. If sid has a newer one, the demo itself does this.
demo-engine: tools
	@testbed/step 'cwltool, a workflow engine' tests/engines/install cwltool 3.14
demo-cluster: tools
	@testbed/step 'a cluster in a directory: Slurm, Apptainer, a registry' $(TESTBED) prepare --suite $(SUITE)
DEMO_BUILD = $(CARGO) build --quiet --locked -p spank-sifcache -p sifcache

## make shell [SUITE=trixie]          a shell in such a cluster, to try things by hand
shell: build-for-testbed
	SIFCACHE_TESTBED_SUITE=$(SUITE) testbed/try $(BUILD)

# The linter links no program, so this file need not exist. If the path is set, libfuzzer-sys does
# not compile its own library from C++.
WITHOUT_LIBFUZZER := CUSTOM_LIBFUZZER_PATH=/nowhere/libfuzzer.a

lint: tools
	@$(NEED) shellcheck:shellcheck
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	SLURM_VERSION=$(ANY_RELEASE) $(CARGO) clippy --locked --workspace --all-targets --all-features -- -D warnings
	$(WITHOUT_LIBFUZZER) SLURM_VERSION=$(ANY_RELEASE) $(CARGO) clippy --locked --manifest-path fuzz/Cargo.toml -- -D warnings
	shellcheck -x $(SCRIPTS)

unit: tools
	@$(NEED) mksquashfs:squashfs-tools setfattr:attr squashfuse_ll:squashfuse strace:strace faketime:faketime mkfs.btrfs:btrfs-progs \
		zsh:zsh fish:fish script:bsdutils
# No documentation has tests, and clippy compiles the examples.
	SLURM_VERSION=$(ANY_RELEASE) $(CARGO) test --locked --workspace --lib --bins --tests

doc: tools
	SLURM_VERSION=$(ANY_RELEASE) RUSTDOCFLAGS='-D warnings -A rustdoc::private_intra_doc_links' $(CARGO) doc --locked --workspace --no-deps --document-private-items --quiet

## make e2e [SUITE=bookworm] [TESTS=hit::] [CLUSTERS=4]  only the end-to-end tests, on this many clusters in parallel
e2e: build-for-e2e e2e-binary run-e2e

.PHONY: run-e2e
run-e2e:
	$(E2E)

# There are as many clusters as concurrent tests. Several tests can run at a time, because most
# tests wait most of the time. Tests that write a page of docs/ would overwrite each other's rows,
# so with SIFCACHE_BLESS they run one after the other.
CLUSTERS ?= $(if $(SIFCACHE_BLESS),1,4)
E2E = $(if $(SIFCACHE_THOROUGH),SIFCACHE_THOROUGH=1) SIFCACHE_SINGULARITY=$(SINGULARITY) SIFCACHE_BUILD=$(BUILD) SIFCACHE_FAILURES=$(FAILURES) \
	$(TESTBED) with --suite $(SUITE) --nodes 3 --clusters $(CLUSTERS) -- $(NEXTEST_RUN) --profile e2e \
	--cargo-metadata $(E2E_BINARY)/cargo.json --binaries-metadata $(E2E_BINARY)/binaries.json \
	--test-threads $(CLUSTERS) $(if $(SIFCACHE_THOROUGH),--retries 0) --run-ignored only -- $(TESTS)
NEXTEST_RUN = $(NEXTEST) nextest run
FAILURES := $(TARGET)/failures/$(SUITE)
# The program with the tests is built once and then run without cargo, which would wait for other
# builds to end. As part of the workspace, it shares its dependencies with the unit tests.
E2E_BINARY := $(TARGET)/e2e
.PHONY: e2e-binary
e2e-binary: tools nextest
	mkdir -p $(E2E_BINARY)
	SLURM_VERSION=$(ANY_RELEASE) $(CARGO) metadata --locked --format-version 1 --all-features >$(E2E_BINARY)/cargo.json
	SLURM_VERSION=$(ANY_RELEASE) $(NEXTEST) nextest list --locked --workspace --test e2e \
		--list-type binaries-only --message-format json >$(E2E_BINARY)/binaries.json

## make diagrams                      renders docs/diagrams/*.dot with Graphviz
.PHONY: diagrams
diagrams:
	@$(NEED) dot:graphviz
	for source in docs/diagrams/*.dot; do dot -Tsvg -o "$${source%.dot}.svg" "$$source"; done

## make workflows-check               checks the files of the hosted CI and of Dependabot
.PHONY: workflows-check
WORKFLOW_TOOLS := $(TOOLS)/workflows
workflows-check: $(WORKFLOW_TOOLS)
	$(WORKFLOW_TOOLS)/bin/zizmor --offline --no-progress --quiet .github
	PYTHONPATH=$(WORKFLOW_TOOLS) python3 -m check_jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	PYTHONPATH=$(WORKFLOW_TOOLS) python3 -m check_jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
$(WORKFLOW_TOOLS):
	@$(NEED) pip3:python3-pip
	pip3 install --quiet --target $@ zizmor==1.32.0 check-jsonschema==0.39.0

# cargo-nextest runs each test in its own process. If it is already installed, that program is used.
NEXTEST_VERSION := 0.9.143
NEXTEST = $(if $(shell $(CARGO) nextest --version 2>/dev/null),$(CARGO),PATH="$(TOOLS)/cargo-nextest-$(NEXTEST_VERSION)/bin:$$PATH" $(CARGO))
.PHONY: nextest
nextest: tools
	@$(CARGO) nextest --version >/dev/null 2>&1 || [ -x $(TOOLS)/cargo-nextest-$(NEXTEST_VERSION)/bin/cargo-nextest ] || \
		testbed/step 'building cargo-nextest' $(CARGO_INSTALL) --root $(TOOLS)/cargo-nextest-$(NEXTEST_VERSION) \
			cargo-nextest@$(NEXTEST_VERSION)

## make soak [STEPS=20000] [WITHOUT=1] runs many short steps of two users and checks that none is lost: about
##                                    20 minutes; WITHOUT=1 omits the plugin, to compare
.PHONY: soak
STEPS ?= 20000
soak: build-for-testbed
	BUILD=$(BUILD) $(TESTBED) with --suite $(SUITE) --nodes 2 -- tests/soak/soak $(STEPS) $(if $(WITHOUT),without)

.PHONY: build-for-testbed build-for-e2e install-for-testbed
build-for-testbed: testbed command install-for-testbed
	install -t $(BUILD) $(RELEASE)/sifcache

install-for-testbed: testbed
	$(MAKE) --no-print-directory $(NODE_FILES) SLURM_VERSION=$(VERSION) RELEASE=$(BUILD)
# The target that makes the files for the nodes. The tests set it to `built-plugin`.
NODE_FILES := plugin

# Also builds a plugin with fault injection, which has the same file name, and a file system whose
# calls fail. The latter shares its build with the unit tests.
build-for-e2e: testbed $(TESTED_COMMAND) install-for-testbed
	install -t $(BUILD) $(TESTED_RELEASE)/sifcache
	SLURM_VERSION=$(VERSION) $(BUILD_PLUGIN) --features fault-injection
	install -D $(LIBRARY) $(BUILD)/fault/libspank_sifcache.so
	SLURM_VERSION=$(ANY_RELEASE) $(CARGO) build --locked --workspace --bin faultfs
	install --strip -t $(BUILD) $(BUILT)/debug/faultfs

# The Debian packages that are needed besides the Rust toolchain; missing packages are installed.
tools:
	@$(NEED) cc:gcc cc:libc6-dev nm:binutils

testbed: tools
	@$(TESTBED) prepare --suite $(SUITE)

## make install [DESTDIR=] [prefix=/usr/local] [plugindir=$(prefix)/lib/slurm] [libexecdir=/usr/libexec]
install: all
	$(MAKE) --no-print-directory install-files

# Module systems use the file name as the version.
MODULEFILE = $(modulefilesdir)/sifcache/$(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

# Installs without building anything; RELEASE is the directory of the built files.
.PHONY: install-files
install-files:
	install -D -m 0755 $(RELEASE)/libspank_sifcache.so $(DESTDIR)$(plugindir)/spank_sifcache.so
	install -D -m 0755 $(RELEASE)/sifcache-shim $(DESTDIR)$(libexecdir)/sifcache/sifcache-shim
	install -D -m 0755 $(RELEASE)/libsifcache_preload.so $(DESTDIR)$(libexecdir)/sifcache/libsifcache_preload.so
	packaging/shims $(RELEASE)/sifcache-shim $(DESTDIR)$(libexecdir)/sifcache $(runtimes)
	install -d $(DESTDIR)$(profiledir)
	sed 's|/usr/libexec/|$(libexecdir)/|g' profile.d/sifcache.sh >$(DESTDIR)$(profiledir)/zz-sifcache.sh
	sed 's|/usr/libexec/|$(libexecdir)/|g' profile.d/sifcache.csh >$(DESTDIR)$(profiledir)/zz-sifcache.csh
	chmod 0644 $(DESTDIR)$(profiledir)/zz-sifcache.sh $(DESTDIR)$(profiledir)/zz-sifcache.csh
	install -d $(DESTDIR)$(modulefilesdir)/sifcache
	sed 's|/usr/libexec/|$(libexecdir)/|g' modulefiles/sifcache >$(DESTDIR)$(MODULEFILE)
	chmod 0644 $(DESTDIR)$(MODULEFILE)
	install -D -m 0755 $(RELEASE)/sifcache $(DESTDIR)$(bindir)/sifcache
	# The plugin and the shim start the command through this link.
	ln -srf $(DESTDIR)$(bindir)/sifcache $(DESTDIR)$(libexecdir)/sifcache/sifcache
	install -D -m 0644 plugstack.conf.example $(DESTDIR)$(docdir)/plugstack.conf.example
	install -m 0644 README.md CHANGELOG.md SECURITY.md LICENSE-MIT LICENSE-APACHE $(DESTDIR)$(docdir)/
	install -D -m 0644 -t $(DESTDIR)$(docdir)/docs docs/*.md
	install -D -m 0644 -t $(DESTDIR)$(docdir)/docs/diagrams docs/diagrams/*.svg
	install -D -m 0644 -t $(DESTDIR)$(docdir)/docs/pictures docs/pictures/*.webp
	install -D -m 0644 -t $(DESTDIR)$(docdir)/docs/evidence docs/evidence/*.md docs/evidence/*.svg
	# If the admin already has this file, it is kept.
	[ -e $(DESTDIR)$(sysconfdir)/slurm/plugstack.conf.d/sifcache.conf ] || \
		install -D -m 0644 -t $(DESTDIR)$(sysconfdir)/slurm/plugstack.conf.d plugstack.conf.d/sifcache.conf
	install -D -m 0644 -t $(DESTDIR)$(sysconfdir)/sifcache packaging/fill/fill.toml.example
	install -d $(DESTDIR)$(unitdir)
	for unit in $(UNITS); do sed -e 's|/usr/bin/|$(bindir)/|g' -e 's|/usr/share/doc/sifcache|$(docdir)|g' \
		$$unit >$(DESTDIR)$(unitdir)/$${unit##*/} && chmod 0644 $(DESTDIR)$(unitdir)/$${unit##*/} || exit; done
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
	install -D -m 0644 -t $(DESTDIR)$(docdir)/examples/fill $(addprefix examples/fill/,site.conf sifcache-fill.cron sifcache-fill.scrontab)
	install -D -m 0644 -t $(DESTDIR)$(docdir)/examples/metrics examples/metrics/*
	sed -i 's|/usr/bin/|$(bindir)/|g' $(addprefix $(DESTDIR)$(docdir)/examples/,fill/site.conf \
		fill/sifcache-fill.cron fill/sifcache-fill.scrontab metrics/site.conf metrics/sifcache-metrics.cron)
	install -d $(DESTDIR)$(docdir)/examples/views/snakemake
	install -m 0644 examples/views/profile.sh $(DESTDIR)$(docdir)/examples/views/
	install -m 0755 examples/views/task-prolog examples/views/toil-wdl $(DESTDIR)$(docdir)/examples/views/
	install -m 0644 examples/views/snakemake/config.yaml $(DESTDIR)$(docdir)/examples/views/snakemake/

include packaging/packages.mk
include packaging/dependencies.mk
include benches/benches.mk
include docs/site/site.mk
include fuzz/fuzz.mk
include tests/memory.mk
include tests/mutants.mk
include tests/engines/engines.mk
include tests/browser/browser.mk
include tests/test.mk

## make clean, make distclean         remove all build results; distclean also removes the root file systems
clean:
	$(CARGO) clean

distclean: clean
	$(TESTBED) down --all
	rm -rf .cache
