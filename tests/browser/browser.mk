# The page of `sifcache report` in a real browser.

## make browser-check                 opens pages of sifcache report in Chromium, at three widths: a minute
.PHONY: browser-check run-browser report-screenshots
browser-check: $(TESTED_COMMAND) run-browser

run-browser:
	@$(NEED) chromium:chromium node:nodejs
	$(CARGO) build --locked -p sif-fixture --example sif-file
	tests/browser/check $(TESTED_RELEASE)/sifcache $(BUILT)/debug/examples/sif-file $(TARGET)/browser

## make report-screenshots            runs jobs on a cluster, makes a report of their log lines, and renders the
##                                    pictures of docs/report.md and the log of tests/browser: five minutes
report-screenshots: build-for-testbed
	@$(NEED) chromium:chromium node:nodejs
	tests/browser/record $(BUILD) $(TARGET)/browser/recorded
	tests/browser/screenshots $(TARGET)/browser/recorded docs/pictures
	cp $(TARGET)/browser/recorded/images.tsv tests/browser/testbed-images.tsv
	gzip --best --no-name --stdout $(TARGET)/browser/recorded/testbed.log >tests/browser/testbed.log.gz
