# SPDX-License-Identifier: MIT
# Short names for what CMake presets and the scripts in tools/ do. Builds live in build/PRESET.
PREFIX ?= /usr/local
DESTDIR ?=
.DEFAULT_GOAL := release

release debug scalar clang-release aarch64: ## build that preset (`make` alone: release)
	@tools/build $@

test: ## all tests of the release build, the checks among them
	@./test

asan tsan: ## the suite under a sanitizer
	@tools/run_tests $@

check: ## layers, style, sizes, symbols, headers, and that generated documents are current
	@tools/run_tests release -R '^(check_.*|test_cli_texts)$$' -E '^check_models$$'

check-models: ## all states of the models of the release protocol, and the mistakes they find
	@tools/check_models

check-functions: release ## the F32 functions over all 2^32 numbers: about an hour
	build/release/tern_functions

soak: release ## 1e8 random operations on a pool under a shadow checker: some minutes
	build/release/tern_soak --operations 100000000

docs: release ## write the man page, the page of operations and the shell completions anew
	build/release/tern help --man >docs/tern.1
	build/release/tern help --ops >docs/OPS.md
	build/release/tern completion bash >completions/tern.bash
	build/release/tern completion zsh >completions/_tern
	build/release/tern completion fish >completions/tern.fish

# VALIDATE='--peer llama-bench=...' adds options of tern validate. A failed target is no failure.
# Where files lie on this machine is left out of the page.
benchmarks: release ## all targets on this quiet machine, into docs/benchmarks.md and README
	@rm -f build/benchmarks.md
	build/release/tern validate --full --no-baseline $(VALIDATE) --md build/benchmarks.md || \
	    test -s build/benchmarks.md
	sed -E -e '/^[|]  [|] (peers|model) [|] /s,(=|[|] )[^ =|]*/,\1,g' \
	    -e 's,(--model |--peer [a-z-]+=)[^ ]*/,\1,g' build/benchmarks.md >docs/benchmarks.md
	tools/readme_table

bench: release ## speed of this machine with a random model of the 2B shape
	@build/release/tern bench --shape 2b4t

install: release ## into PREFIX (/usr/local), below DESTDIR
	@DESTDIR=$(DESTDIR) cmake --install build/release --prefix $(PREFIX)

clean: ## remove all builds
	rm -rf build

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9 -]+:.*## / { printf "make %-42s %s\n", $$1, $$2 }' Makefile

.PHONY: release debug scalar clang-release aarch64
.PHONY: test asan tsan check check-models check-functions soak docs benchmarks bench
.PHONY: install clean help
