# Measures the costs of sifcache: benches/cluster runs on the testbed, and also starts benches/host.

.PHONY: profile bench bench-check bench-page bench-pulls bench-fill bench-demand
RESULTS := $(TARGET)/bench/results.json

## make bench [QUICK=1] [PLUGIN=LINE]  measures launches with and without sifcache: docs/evidence/benchmarks.md; 20 minutes
bench: measured
ifndef QUICK
	cp $(RESULTS) docs/evidence/benchmarks.json
	$(MAKE) --no-print-directory bench-page bench-pulls bench-fill bench-demand
endif

## make bench-pulls              measures pulls of an image in the cache: docs/evidence/pulls.md; 4 minutes
bench-pulls: build-for-testbed host
	$(CARGO) build --locked --release -p cluster-bench
	$(TESTBED) with --suite $(SUITE) --nodes 1 -- $(RELEASE)/cluster-bench pulls \
		--build $(BUILD) --host $(TARGET)/host --into docs/evidence/pulls.md

## make bench-fill [ROUNDS=5] [ENROOT=DIR]  measures conversions of images: docs/evidence/fills.md; half an hour, 5 GB of disk
FILL_IMAGES := $(or $(SIFCACHE_CACHE),$(CURDIR)/.cache)/bench-fill
bench-fill: testbed command
	@$(NEED) igzip:isal zstd:zstd
	$(CARGO) build --locked --release -p cluster-bench
	benches/fill/images
	$(TESTBED) with --suite $(SUITE) --nodes 1 -- $(RELEASE)/cluster-bench fills \
		--command $(RELEASE)/sifcache --images $(FILL_IMAGES) --into docs/evidence/fills.md $(if $(ROUNDS),--rounds $(ROUNDS)) \
		$(if $(ENROOT),--enroot $(ENROOT))

## make bench-demand [PARTS=scale,users,first] [ROUNDS=2]  measures images on demand: docs/evidence/demand.md; 30 minutes, 25 GB of disk
# The page has the last results of parts that are not measured.
DEMAND_RESULTS := $(TARGET)/bench/demand$(if $(QUICK),-quick)
bench-demand: build-for-testbed host
	$(CARGO) build --locked --release -p cluster-bench
	benches/fill/images big
	$(TESTBED) with --suite $(SUITE) --nodes 2 -- $(RELEASE)/cluster-bench demand \
		--build $(BUILD) --host $(TARGET)/host --big $(FILL_IMAGES)/big --results $(DEMAND_RESULTS) \
		--into docs/evidence/demand.md $(if $(PARTS),--parts $(PARTS)) \
		$(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(QUICK),--quick)

## make profile [BASELINE=REV] [RUNS=300]  prints what each part costs: time, page faults, instructions, system calls
# The older commit REV is built too, and both are measured in turn.
profile: install-for-testbed host
	@$(NEED) readelf:binutils
	$(CARGO) build --locked --release -p cluster-bench
	@files=$(if $(BASELINE),$$(TARGET=$(TARGET) benches/baseline $(BASELINE) $(VERSION))) && \
	$(TESTBED) with --suite $(SUITE) --nodes 1 -- $(RELEASE)/cluster-bench profile \
		--build $(BUILD) --host $(TARGET)/host $${files:+--baseline "$$files"} $(if $(RUNS),--runs $(RUNS))

.PHONY: measured
measured: build-for-testbed host
	$(CARGO) build --locked --release -p cluster-bench
	$(CARGO) bench --locked -p cluster-bench --bench decide --no-run
	mkdir -p $(dir $(RESULTS))
	CARGO=$(CARGO) $(TESTBED) with --suite $(SUITE) --nodes 2 -- \
		$(RELEASE)/cluster-bench all --build $(BUILD) --host $(TARGET)/host \
		--into $(RESULTS) $(if $(QUICK),--quick) $(if $(PLUGIN),--plugin '$(PLUGIN)')

# Renders the page, the chart and the table in the README from the results of the last valid run.
bench-page:
	$(CARGO) build --locked --release -p cluster-bench
	$(RELEASE)/cluster-bench render docs/evidence/benchmarks.json .
