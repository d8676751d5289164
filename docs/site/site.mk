# The documentation as a static site.

.PHONY: site site-check
MDBOOK_VERSION := 0.5.4
MDBOOK := $(TOOLS)/mdbook-$(MDBOOK_VERSION)
SITE := $(TARGET)/site

## make site                          target/site: the documentation as a static site with search
site: $(MDBOOK)
	docs/site/build $</bin/mdbook $(SITE)

## make site-check                    builds the site, and checks its links, anchors and pictures
site-check: site
	@$(NEED) linkchecker:linkchecker
	docs/site/check $(SITE)

# mdBook is built without its server for authors, and without optimization: it renders all pages in
# seconds, but an optimized build takes minutes.
$(MDBOOK): | tools
	testbed/step 'building mdBook' $(CARGO_INSTALL) --debug --no-default-features --features search --root $@ \
		--target-dir $(TOOLS)/target-mdbook mdbook@$(MDBOOK_VERSION)
	rm -rf $(TOOLS)/target-mdbook
