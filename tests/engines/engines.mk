# Real workflow engines, in the versions that snakemake.txt pins with their hashes.

## make engines-check                 runs Snakemake on nodes with one runtime, both, or none: two minutes
.PHONY: engines-check
# The suite whose Python has the same version as the machine's, 3.11.
engines-check: SUITE := bookworm
engines-check: build-for-testbed
	BUILD=$(BUILD) $(TESTBED) with --suite $(SUITE) --nodes 1 -- tests/engines/one-runtime
