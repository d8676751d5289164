# Packages, a source archive, and the removal of an installation.

PACKAGES := $(TARGET)/packages
# The number of this build of the same version.
REVISION ?= 1
# The target that builds the packaged command.
PACKAGED_COMMAND := command
DEB_PLUGINDIR = /usr/lib/$(shell dpkg-architecture -qDEB_HOST_MULTIARCH)/slurm-wlm
RPM_PLUGINDIR = /usr/lib64/slurm

.PHONY: deb rpm packages-check dist dist-check uninstall

## make deb [SLURM_VERSION=24.11] [plugindir=DIR]   target/packages/*.deb
deb: $(NODE_FILES) $(PACKAGED_COMMAND) deb-tools
	packaging/deb $(RELEASE) $(PACKAGES) $(REVISION) $(or $(PLUGINDIR),$(DEB_PLUGINDIR))

## make rpm [SLURM_VERSION=24.11] [plugindir=DIR]   target/packages/*.rpm
rpm: $(NODE_FILES) $(PACKAGED_COMMAND) rpm-tools
	packaging/rpm $(RELEASE) $(PACKAGES) $(REVISION) $(or $(PLUGINDIR),$(RPM_PLUGINDIR))

# These are separate targets, because make expands a whole recipe before it runs the first line.
.PHONY: deb-tools rpm-tools dist-tools
deb-tools:
	@$(NEED) dpkg-shlibdeps:dpkg-dev dpkg-architecture:dpkg-dev
rpm-tools:
	@$(NEED) rpmbuild:rpm
dist-tools:
	@$(NEED) xz:xz-utils

# Empty unless `plugindir` was set explicitly: otherwise, it has the default value for make install.
PLUGINDIR = $(if $(filter command line environment,$(origin plugindir)),$(plugindir))

# Installs, uses, upgrades and removes the packages on a cluster; builds them twice, for the
# upgrade.
packages-check: export DPKG_DEB_COMPRESSOR_LEVEL := 0
packages-check: testbed deb-tools rpm-tools
	rm -rf $(CHECKED)
	$(PACKAGE) deb rpm SLURM_VERSION=$(VERSION)
# The second build, for the upgrade, is made from the same files.
	$(PACKAGE) deb rpm SLURM_VERSION=$(VERSION) REVISION=2
	$(PACKAGE) deb rpm SLURM_VERSION=$(OTHER)
	$(TESTBED) with --suite $(SUITE) --nodes 2 -- packaging/check $(CHECKED) $(VERSION) $(OTHER)
CHECKED := $(TARGET)/testbed/packages
PACKAGE = $(MAKE) --no-print-directory PACKAGES=$(CHECKED) RELEASE=$(TESTED_RELEASE) PACKAGED_COMMAND=$(TESTED_COMMAND)
OTHER := $(firstword $(SLURM_RELEASES))

## make dist                          target/dist/sifcache-VERSION.tar.xz, which can be built without a network
dist: tools dist-tools
	packaging/dist $(TARGET)/dist

# Builds from the archive in a fresh directory, without a network and without cargo's caches.
dist-check: export XZ_LEVEL := 0
dist-check: dist
	packaging/dist-check $(TARGET)/dist $(DIST_TARGETS)
DIST_TARGETS ?= plugin

## make uninstall                     removes the files of make install; takes the same variables
uninstall:
	@tree=$$(mktemp -d) && trap 'rm -r "$$tree"' EXIT && \
	$(MAKE) --no-print-directory --silent install-files DESTDIR="$$tree" && cd "$$tree" && \
	find . ! -type d | while read -r file; do \
		case $$file in \
			*/plugstack.conf.d/*) cmp -s "$$file" "$(DESTDIR)/$$file" || continue ;; \
		esac; \
		rm -fv "$(DESTDIR)/$$file"; \
	done; \
	for directory in $(addprefix $(libexecdir)/sifcache/bin,-linked $(addprefix -,$(runtimes)) /) \
		$(libexecdir)/sifcache $(addprefix $(docdir)/examples/,views/snakemake views fill) \
		$(docdir)/examples $(addprefix $(docdir)/docs/,diagrams evidence pictures) \
		$(docdir)/docs $(docdir) $(modulefilesdir)/sifcache $(modulefilesdir) \
		$(patsubst %/,%,$(dir $(modulefilesdir))) $(sysconfdir)/sifcache; do \
		rmdir "$(DESTDIR)$$directory" 2>/dev/null || :; \
	done

## make release-check [TAG=v0.2.0]    checks that this checkout can be released: docs/releasing.md
.PHONY: release-check
TAG ?=
release-check: tools site-check
	@$(NEED) dot:graphviz
	SLURM_VERSION=$(ANY_RELEASE) $(CARGO) build --locked --quiet -p sifcache
	SIFCACHE_COMMAND=$(BUILT)/debug/sifcache packaging/release-check $(TAG)
	SLURM_VERSION=$(ANY_RELEASE) $(CARGO) test --locked --quiet -p cluster-bench generated_files_match_the_results
	SLURM_VERSION=$(ANY_RELEASE) $(CARGO) test --locked --quiet --test links
