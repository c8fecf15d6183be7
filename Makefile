# A thin layer over meson and ninja.  `make demo` and `make check` work in a clean clone on a bare Debian 12.
BUILD ?= build
PREFIX ?= /usr/local
# No built-in rules: every target here is a command.
MAKEFLAGS += --no-builtin-rules

.PHONY: man all build web deps deps-build deps-test deps-bench kernel install demo check check-quick check-asan bench fuzz clean help

all: build

help:
	@sed -n 's/^## //p' Makefile

## make deps        install what building, running and testing need (apt-get, from deps/*.txt)
deps: deps-test

deps-build:
	@tools/deps deps/build.txt deps/run.txt
	@if [ -x tools/kernel-fetch ]; then tools/kernel-fetch $(BUILD)/share/caisson/kernels; fi

deps-test: deps-build web
	@tools/deps deps/test.txt

## make web         the dashboard's page, bundled from npm packages (caisson dashboard)
web:
	@command -v npm >/dev/null || tools/deps deps/web.txt
	@tools/web-build $(BUILD)

deps-bench: deps-build
	@tools/deps deps/bench.txt

## make build       build/caisson and its helpers; runs from the build tree
build:
	@tools/setup $(BUILD) --prefix=$(PREFIX)
	@ninja -C $(BUILD)

## make man         manual pages of every command: man -l build/share/man/man1/caisson-run.1
man: build
	@ls $(BUILD)/share/man/man1

## make install     into PREFIX (/usr/local), DESTDIR is respected
install: build
	meson install -C $(BUILD) --no-rebuild
	@mkdir -p $(DESTDIR)$(PREFIX)/share/caisson && for d in kernels web; do [ ! -d $(BUILD)/share/caisson/$$d ] || \
		cp -a $(BUILD)/share/caisson/$$d $(DESTDIR)$(PREFIX)/share/caisson/; done

## make demo        one image behind both walls, then the comparison
demo: deps-build build
	@tools/demo $(BUILD)

## make check       install what tests need, build, run the whole suite
check: deps-test build
	@python3 tests/run.py --build $(BUILD)

## make check-quick the suite without installing anything and without the slow files
check-quick: build
	@python3 tests/run.py --build $(BUILD) --quick

## make check-asan  unit tests and fuzz replays with the address and undefined sanitizers
check-asan:
	@python3 tests/run.py --only-asan

## make bench       against the peers that are installed, in one run (see bench/run.py --help; bench/images.py measures pulls, bench/api.py the Engine API, bench/instances.py living with instances, bench/vm.py VMs, bench/net.py the network, bench/compare.py what compare says beside independent tools)
bench: deps-bench build
	@python3 bench/run.py --build $(BUILD)

## make fuzz        libFuzzer builds of every target in fuzz/, TIME seconds each (needs clang)
TIME ?= 30
fuzz:
	@tools/fuzz $(TIME)

## make clean       remove what was built; what was downloaded stays in .cache
clean:
	rm -rf build build-asan build-fuzz
