# Real workflow engines, in the versions that tests/engines/packages pins with their hashes.

## make engines-check [ENGINE=toil-wdl] runs the real workflow engines of tests/engines/list.tsv in jobs, without a
##                                    registry: six minutes
.PHONY: engines-check run-engines run-quick-engines
# The suite whose Python the packages are for.
engines-check: SUITE := trixie
engines-check: build-for-testbed run-engines

ENGINE ?=
WITH_TRIXIE = BUILD=$(TARGET)/testbed/$(shell $(TESTBED) version --suite trixie) $(TESTBED) with --suite trixie --nodes 1 --
run-engines:
	$(WITH_TRIXIE) tests/engines/check $(ENGINE)
	$(if $(ENGINE),,$(WITH_TRIXIE) tests/engines/one-runtime)
run-quick-engines:
	$(WITH_TRIXIE) tests/engines/check --quick
