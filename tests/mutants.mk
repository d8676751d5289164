# Changes the code in hundreds of small ways, and says which of them no unit test notices.

CARGO_MUTANTS_VERSION := 27.1.0
CARGO_MUTANTS := $(TOOLS)/cargo-mutants-$(CARGO_MUTANTS_VERSION)
# What makes no difference: bits that are apart, joined in another way; processors that are not
# this one; a colon that cannot be where a slash is; a libc that lacks a function.
NO_DIFFERENCE := replace [|] with \^|target_endian|replace [+] with [*] in split_tag|preload.* missing

.PHONY: mutants

## make mutants                       which changes of core and the interposer no unit test notices: half an hour
mutants: tools $(CARGO_MUTANTS)
# 3: one that never ended, which is noticed too.
	SLURM_VERSION=$(ANY_RELEASE) PATH="$(CARGO_MUTANTS)/bin:$$PATH" \
		$(CARGO) mutants -p sifcache-core -p sifcache-preload --output target --gitignore=true \
		--timeout 60 --exclude-re '$(NO_DIFFERENCE)' $(MUTANTS) || [ $$? = 3 ]

$(CARGO_MUTANTS): | tools
	$(CARGO_INSTALL) --root $@ --target-dir $(TOOLS)/target cargo-mutants@$(CARGO_MUTANTS_VERSION)
	rm -rf $(TOOLS)/target
