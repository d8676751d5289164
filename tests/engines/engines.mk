# Real workflow engines, from PyPI.

## make engines-check                 Snakemake on nodes with one of the two runtimes: a minute, and 200 MB from PyPI
.PHONY: engines-check
# The release whose Python is that of the machine, 3.11.
engines-check: SUITE := bookworm
engines-check: build-for-testbed
	BUILD=$(BUILD) $(TESTBED) with --suite $(SUITE) --nodes 1 -- tests/engines/one-runtime
