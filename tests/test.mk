# make test: stages that run concurrently where possible, each with its output in a log.
#
# Most end-to-end tests wait most of the time: for Slurm, for a timeout, for a file server that
# never answers. Stages that only need a processor run at the same time, at a lower priority.

STAGE_LOGS := $(TARGET)/stages
STAGE = STEP_QUIET=1 STEP_LINES=0 STEP_LOGS=$(STAGE_LOGS) testbed/step
# For stages that the end-to-end tests do not depend on.
LATER = nice -n 5 env $(STAGE)
BESIDE = nice -n 10 env $(STAGE)
# Stages run without the job server of this make, which would delay the stage that all others wait
# for. The priorities decide instead.
MAKE_STAGE = env -u MAKEFLAGS -u MFLAGS $(MAKE) --no-print-directory $(MAKEOVERRIDES)
STAGES_AT_A_TIME ?= 4

## make test                          everything: lints, unit tests, end-to-end tests, the demo; all on the
##                                    newest Slurm, and the tests of Slurm itself on two older ones
.PHONY: test test-all test-stages
test: tools
	@tests/stages $(TARGET) $(MAKE_STAGE) -j$(STAGES_AT_A_TIME) test-stages

## make test-all                      the same, with all end-to-end tests on each of the three, and the site
test-all: tools
	@tests/stages $(TARGET) $(MAKE_STAGE) -j$(STAGES_AT_A_TIME) test-stages SIFCACHE_THOROUGH=1 SMOKE=

# The stages are in the order of importance: make starts the first one that is ready.
test-stages: stage-cluster-sid stage-command stage-plugin stage-e2e-binary stage-build-sid stage-e2e-sid \
	stage-plugins stage-e2e-releases stage-cluster-trixie stage-cluster-bookworm stage-lint stage-unit stage-fuzz-check stage-asan \
	stage-e2e-trixie stage-e2e-bookworm stage-packages-check stage-dist-check stage-doc \
	stage-testbed-check stage-demo-check stage-engines stage-browser $(if $(SIFCACHE_THOROUGH),stage-site-check)
	@:

stage-cluster-sid:
	@$(STAGE) cluster-sid $(TESTBED) prepare --suite sid
stage-cluster-trixie stage-cluster-bookworm: stage-cluster-%: | stage-build-sid
	@$(LATER) cluster-$* $(TESTBED) prepare --suite $*
stage-command:
	@$(STAGE) command $(MAKE_STAGE) $(TESTED_COMMAND)
stage-e2e-binary:
	@$(STAGE) e2e-binary $(MAKE_STAGE) e2e-binary
# This plugin is for the newest release of Slurm, which is that of sid, so its build need not wait
# for the root file system. The two builds of cargo and that of the root file system then keep all
# processors busy.
stage-plugin:
	@$(STAGE) plugin $(MAKE_STAGE) plugin SLURM_VERSION=$(ANY_RELEASE) RELEASE=$(FOR_TESTS)
stage-build-sid: stage-cluster-sid stage-command stage-plugin
	@$(STAGE) build-sid $(MAKE_STAGE) build-for-e2e SUITE=sid TESTED_COMMAND=
# Everything but the plugin with fault injection was built before.
BUILT_BEFORE := TESTED_COMMAND= NODE_FILES=built-plugin
stage-build-trixie stage-build-bookworm: stage-build-%: stage-cluster-% stage-plugins
	@$(STAGE) build-$* $(MAKE_STAGE) build-for-e2e SUITE=$* $(BUILT_BEFORE)
stage-plugins: stage-build-sid
	@$(LATER) plugins $(MAKE_STAGE) plugins
stage-e2e-%: stage-build-% stage-e2e-binary
	@$(STAGE) e2e-$* $(MAKE_STAGE) run-e2e SUITE=$* TESTS='$(if $(filter sid,$*),--skip $(RELEASES),$(SMOKE) $(SMOKE_$*))'
# The tests of the plugins for all releases must not delay the rest.
RELEASES := releases::
stage-e2e-releases: stage-plugins stage-e2e-binary
	@$(STAGE) e2e-releases $(MAKE_STAGE) run-e2e CLUSTERS=1 TESTS=$(RELEASES)
# One after the other, because concurrent runs would not be faster.
stage-e2e-trixie: | stage-e2e-sid
stage-e2e-bookworm: | stage-e2e-trixie
# cargo allows only one build at a time in a directory.
stage-build-bookworm: | stage-build-trixie
stage-lint: | stage-e2e-binary stage-build-sid
stage-unit: | stage-lint
stage-doc: | stage-unit
stage-fuzz-check stage-asan stage-dist-check stage-site-check: | stage-build-sid
# The shim has little code of its own that the plugin does not have, and its tests take minutes there.
stage-asan:
	@$(BESIDE) asan $(MAKE_STAGE) asan ASAN_SHIM=$(SIFCACHE_THOROUGH)
stage-lint stage-unit stage-doc stage-fuzz-check stage-site-check:
	@$(BESIDE) $(@:stage-%=%) $(MAKE_STAGE) $(@:stage-%=%)
# Only a complete run builds from the archive. Otherwise, cargo just looks for missing sources.
stage-dist-check:
	@$(BESIDE) dist-check $(MAKE_STAGE) dist-check DIST_TARGETS='$(if $(SIFCACHE_THOROUGH),all)'
stage-packages-check: stage-plugins
	@$(LATER) packages-check $(MAKE_STAGE) packages-check $(BUILT_BEFORE)
# Three engines, or all of them. Most of the time goes into waiting for jobs.
stage-engines: stage-build-trixie
	@$(LATER) engines $(MAKE_STAGE) $(if $(SIFCACHE_THOROUGH),run-engines,run-quick-engines)
# Its own crate is compiled in a second, but cargo allows only one build at a time.
stage-browser: stage-command | stage-e2e-binary stage-build-sid
	@$(BESIDE) browser $(MAKE_STAGE) run-browser
stage-testbed-check: stage-cluster-sid
	@$(LATER) testbed-check testbed/check
stage-demo-check: stage-build-sid
	@$(LATER) demo-check testbed/demo $(BUILD)/libspank_sifcache.so $(BUILD)/sifcache

## make fill-check [SEEDS=10000] [FIRST_SEED=1] [LAYOUTS=DIR:...]  converts random images, and the OCI layouts in these
##                                    directories, by the runtime and by sifcache, and compares: 3 seconds for ten seeds
.PHONY: fill-check
SEEDS ?= 10000
FIRST_SEED ?= 1
fill-check: build-for-e2e
	SIFCACHE_SINGULARITY=$(SINGULARITY) SIFCACHE_SEEDS=$(SEEDS) SIFCACHE_FIRST_SEED=$(FIRST_SEED) SIFCACHE_LAYOUTS='$(LAYOUTS)' SLURM_VERSION=$(ANY_RELEASE) SIFCACHE_BUILD=$(BUILD) \
		$(TESTBED) with --suite $(SUITE) --nodes 3 -- \
		$(CARGO) test --locked --test e2e -- --ignored --nocapture fills::random
