# Packages, a source archive, and what removes an installation.

PACKAGES := $(TARGET)/packages
# A further build of the same version.
REVISION ?= 1
# What builds the command that is packaged.
PACKAGED_COMMAND := command
DEB_PLUGINDIR = /usr/lib/$(shell dpkg-architecture -qDEB_HOST_MULTIARCH)/slurm-wlm
RPM_PLUGINDIR = /usr/lib64/slurm

.PHONY: deb rpm packages-check dist dist-check uninstall

## make deb [SLURM_VERSION=24.11] [plugindir=DIR]   target/packages/*.deb
deb: plugin $(PACKAGED_COMMAND) deb-tools
	packaging/deb $(RELEASE) $(PACKAGES) $(REVISION) $(or $(PLUGINDIR),$(DEB_PLUGINDIR))

## make rpm [SLURM_VERSION=24.11] [plugindir=DIR]   target/packages/*.rpm
rpm: plugin $(PACKAGED_COMMAND) rpm-tools
	packaging/rpm $(RELEASE) $(PACKAGES) $(REVISION) $(or $(PLUGINDIR),$(RPM_PLUGINDIR))

# Of their own, as make expands a recipe as a whole before it runs the first line.
.PHONY: deb-tools rpm-tools dist-tools
deb-tools:
	@$(NEED) dpkg-shlibdeps:dpkg-dev dpkg-architecture:dpkg-dev
rpm-tools:
	@$(NEED) rpmbuild:rpm
dist-tools:
	@$(NEED) xz:xz-utils

# Only if it was named: `plugindir` is for make install otherwise.
PLUGINDIR = $(if $(filter command line environment,$(origin plugindir)),$(plugindir))

# Installed, used, upgraded and removed on a cluster; twice the same build, to upgrade.
packages-check: testbed deb-tools rpm-tools
	rm -rf $(CHECKED)
	$(PACKAGE) deb rpm SLURM_VERSION=$(VERSION)
# An upgrade, from the same files.
	$(PACKAGE) deb rpm SLURM_VERSION=$(VERSION) REVISION=2
	$(PACKAGE) deb rpm SLURM_VERSION=$(OTHER)
	$(TESTBED) with --suite $(SUITE) --nodes 2 -- packaging/check $(CHECKED) $(VERSION) $(OTHER)
CHECKED := $(TARGET)/testbed/packages
PACKAGE = $(MAKE) --no-print-directory PACKAGES=$(CHECKED) RELEASE=$(TESTED_RELEASE) PACKAGED_COMMAND=$(TESTED_COMMAND)
OTHER := $(firstword $(SLURM_RELEASES))

## make dist                          target/dist/sifcache-VERSION.tar.xz: builds without a network
dist: tools dist-tools
	packaging/dist $(TARGET)/dist

# In a fresh directory, without network, and without anything that cargo has kept.
dist-check: export XZ_LEVEL := 0
dist-check: dist
	packaging/dist-check $(TARGET)/dist $(DIST_TARGETS)
DIST_TARGETS ?= plugin

## make uninstall                     removes what make install has put there, with the same variables
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
		$(libexecdir)/sifcache $(docdir)/examples $(docdir)/docs $(docdir); do \
		rmdir "$(DESTDIR)$$directory" 2>/dev/null || :; \
	done
