# Changes the code in hundreds of small ways, and lists the changes that no unit test detects.

CARGO_MUTANTS_VERSION := 27.1.0
CARGO_MUTANTS := $(TOOLS)/cargo-mutants-$(CARGO_MUTANTS_VERSION)
# Changes without an effect: disjoint bits joined with a different operator; code for processors
# other than this one; a colon that cannot occur where a slash is; a libc that lacks a function.
NO_DIFFERENCE := replace [|] with \^|target_endian|replace [+] with [*] in split_tag|preload.* missing

.PHONY: mutants

## make mutants                       changes of core and the interposer that no unit test detects: half an hour
mutants: tools $(CARGO_MUTANTS)
# Status 3 means that a test did not end after a change, so this change was also detected.
	SLURM_VERSION=$(ANY_RELEASE) PATH="$(CARGO_MUTANTS)/bin:$$PATH" \
		$(CARGO) mutants -p sifcache-core -p sifcache-preload --output target --gitignore=true \
		--timeout 60 --exclude-re '$(NO_DIFFERENCE)' $(MUTANTS) || [ $$? = 3 ]

$(CARGO_MUTANTS): | tools
	$(CARGO_INSTALL) --root $@ --target-dir $(TOOLS)/target cargo-mutants@$(CARGO_MUTANTS_VERSION)
	rm -rf $(TOOLS)/target
