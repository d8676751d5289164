# Third-party inputs of the build: licences, sources, advisories.

## make deny                          licences, bans and sources of all crates, with cargo-deny
## make audit [ADVISORIES=DIR]        RustSec's advisories, with cargo-deny and cargo-audit; DIR is a copy of its list
.PHONY: deny audit
CARGO_DENY := 0.20.2
CARGO_AUDIT := 0.22.2
ADVISORIES ?= https://github.com/rustsec/advisory-db
# The directory where cargo-deny looks for the advisory list: deny.toml sets it, and cargo-deny
# derives the name from the list's address.
ADVISORY_DB := .cache/advisory-dbs/advisory-db-3157b0e258782691
deny: $(TOOLS)/cargo-deny-$(CARGO_DENY)
	$</bin/cargo-deny --locked check licenses bans sources

audit: $(TOOLS)/cargo-deny-$(CARGO_DENY) $(TOOLS)/cargo-audit-$(CARGO_AUDIT)
	rm -rf $(ADVISORY_DB)
	git clone --quiet --depth=1 --no-local $(ADVISORIES) $(ADVISORY_DB)
	git -C $(ADVISORY_DB) fetch --quiet --depth=1
	$(word 1,$^)/bin/cargo-deny --locked --offline check advisories
	$(word 2,$^)/bin/cargo-audit audit --db $(ADVISORY_DB) --no-fetch --deny warnings

# Each takes some minutes, once.
$(TOOLS)/cargo-%: | tools
	$(CARGO_INSTALL) --root $@ --target-dir $(TOOLS)/target $(subst -0.,@0.,$(@F))
	rm -rf $(TOOLS)/target
