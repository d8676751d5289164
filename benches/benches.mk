# Measures the costs of sifcache: benches/cluster runs on the testbed, and also starts benches/host.

.PHONY: profile bench bench-costs bench-scale bench-check bench-page bench-pulls bench-fill bench-demand
RESULTS := $(TARGET)/bench/results.json

## make bench [QUICK=1] [PLUGIN=LINE] [BASELINE=REV]  measures everything: launches with and without sifcache
##                                    (docs/evidence/benchmarks.md, 20 minutes), and all bench-* targets below
bench: measured
ifndef QUICK
	cp $(RESULTS) docs/evidence/benchmarks.json
	$(MAKE) --no-print-directory bench-page bench-pulls bench-fill bench-demand bench-costs bench-scale
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
		--command $(RELEASE)/sifcache --images $(FILL_IMAGES) --into docs/evidence/fills.md --rounds $(or $(ROUNDS),5) \
		$(if $(ENROOT),--enroot $(ENROOT))

## make bench-demand [PARTS=scale,users,first] [ROUNDS=N]  measures images on demand: docs/evidence/demand.md; 30 minutes, 25 GB of disk
# The page has the last results of parts that are not measured.
DEMAND_RESULTS := $(TARGET)/bench/demand$(if $(QUICK),-quick)
bench-demand: build-for-testbed host
	$(CARGO) build --locked --release -p cluster-bench
	benches/fill/images big
	$(TESTBED) with --suite $(SUITE) --nodes 2 -- $(RELEASE)/cluster-bench demand \
		--build $(BUILD) --host $(TARGET)/host --big $(FILL_IMAGES)/big --results $(DEMAND_RESULTS) \
		--into docs/evidence/demand.md $(if $(PARTS),--parts $(PARTS)) \
		$(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(QUICK),--quick)

# With BASELINE, the commit REV is built too, in a git worktree, and measured in the same rounds.
OLDER = files=$(if $(BASELINE),$$(TARGET=$(TARGET) benches/baseline '$(BASELINE)' plugin $(VERSION)))
OLDER_COMMAND = files=$(if $(BASELINE),$$(TARGET=$(TARGET) benches/baseline '$(BASELINE)' command))
# A commit that cannot be built is an error before anything is measured.
.PHONY: older older-command
older: $(if $(BASELINE),testbed)
	@$(OLDER)
older-command:
	@$(OLDER_COMMAND)
FILES = --build $(BUILD) --host $(TARGET)/host
COMPARED = $${files:+--baseline "$$files"}
COSTS = --results $(TARGET)/bench/costs$(if $(QUICK),-quick) \
	--into $(if $(QUICK),$(TARGET)/bench/costs-quick.md,docs/evidence/costs.md)

## make bench-costs [BASELINE=REV] [RUNS=1000] [SRUN_ROUNDS=1000]  measures costs above a floor: docs/evidence/costs.md;
##                                    15 minutes; RUNS=0 or SRUN_ROUNDS=0 keeps the earlier results of that part
bench-costs: older build-for-testbed firewall
	@$(NEED) readelf:binutils
	$(CARGO) build --locked --release -p cluster-bench
	@mkdir -p $(TARGET)/bench
	$(OLDER) && $(TESTBED) with --suite $(SUITE) --nodes 1 -- $(RELEASE)/cluster-bench costs $(FILES) $(COMPARED) $(COSTS) \
		--runs $(or $(RUNS),$(if $(QUICK),20,1000)) --rounds $(or $(SRUN_ROUNDS),$(if $(QUICK),2,1000))

## make bench-scale [BASELINE=REV] [IMAGES=100000] [LINES=5000000] [SCALE_ROUNDS=5]  list, verify, hits and misses of a
##                                    large cache and log, on the same page; 5 minutes, 2 GB of disk
bench-scale: older-command command
	@$(NEED) find:findutils grep:grep
	$(CARGO) build --locked --release -p cluster-bench
	@mkdir -p $(TARGET)/bench
	$(OLDER_COMMAND) && $(RELEASE)/cluster-bench large --command $(RELEASE)/sifcache $(COMPARED) $(COSTS) \
		--images $(or $(IMAGES),$(if $(QUICK),1000,100000)) \
		--lines $(or $(LINES),$(if $(QUICK),10000,5000000)) --rounds $(or $(SCALE_ROUNDS),$(if $(QUICK),1,5))

## make profile [BASELINE=REV] [RUNS=300]  prints what each part of a launch costs: time, page faults, instructions,
##                                    system calls; three minutes
profile: older install-for-testbed firewall
	@$(NEED) readelf:binutils
	$(CARGO) build --locked --release -p cluster-bench
	@$(OLDER) && $(TESTBED) with --suite $(SUITE) --nodes 1 -- $(RELEASE)/cluster-bench profile $(FILES) $(COMPARED) \
		--runs $(or $(RUNS),300)

.PHONY: measured
measured: $(if $(QUICK),,older older-command) build-for-testbed host
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
