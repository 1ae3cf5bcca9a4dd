# dotgate: the front door. `make` builds build/dotgate; the work is done by meson and scripts/.
#
#   make               build/dotgate, optimised
#   make demo          dotgate before an upstream of its own on loopback: asks it, shows the answers
#   make check         all tests, or some: RINGS="unit e2e"; the last line is
#                      "N passed, N failed, N skipped"
#   make check-debian  make demo and make check in a fresh Debian: SUITE=trixie
#   make torture       new random worlds and new chaos for MINUTES (docs/testing.md)
#   make planted       random worlds find known faults that are put back
#   make fuzz          each fuzz target for FUZZ_SECONDS
#   make install       into DESTDIR, under PREFIX
#   make image-check   builds the container image, runs it, resolves through it
#   make bench         measures dotgate beside other forwarders: bench/results
#   make bench-faults  what clients get of it while its upstream fails
#   make format        clang-format over all sources
#   make clean         removes what was built
#
# Each target first installs the Debian packages that it lacks, if it may (scripts/need).

PREFIX = /usr/local
DESTDIR =
RINGS =
SUITE = trixie
FUZZ_SECONDS = 300
MINUTES = 30
BENCH_ARGS =

# Debian's own, whatever else comes first in PATH.
MESON = /usr/bin/meson
PYTHON = /usr/bin/python3

all: build/dotgate

build/build.ninja:
	@scripts/need build
	$(MESON) setup build -Dtests=false

# ninja knows what has to be done; make does not.
build/dotgate: build/build.ninja FORCE
	@ninja -C build src/dotgate
	@ln -sf src/dotgate build/dotgate

demo:
	@scripts/need demo
	@$(MAKE) --no-print-directory build/dotgate
	@$(PYTHON) scripts/demo build/dotgate

check:
	@scripts/need check
	@$(MAKE) --no-print-directory build/dotgate
	@$(PYTHON) scripts/check $(RINGS)

check-debian:
	@scripts/need check-debian
	@$(PYTHON) scripts/check-debian $(SUITE) $(RINGS)

torture:
	@scripts/need check
	@$(PYTHON) scripts/torture $(MINUTES)

planted:
	@scripts/need check
	@$(PYTHON) scripts/planted

fuzz:
	@scripts/need fuzz
	@$(PYTHON) scripts/fuzz $(FUZZ_SECONDS)

install: build/dotgate
	$(MESON) configure build -Dprefix=$(abspath $(PREFIX))
	DESTDIR=$(DESTDIR) $(MESON) install -C build

image-check:
	@scripts/need image-check
	@$(PYTHON) scripts/image-check

bench:
	@scripts/need bench
	@$(MAKE) --no-print-directory build/dotgate
	@$(PYTHON) bench/bench.py $(BENCH_ARGS)

bench-faults:
	@scripts/need bench-faults
	@$(MAKE) --no-print-directory build/dotgate
	@$(PYTHON) bench/faults.py $(BENCH_ARGS) build/dotgate

format:
	@scripts/need format
	@find src tests bench -name '*.[ch]' -print0 | xargs -0 -r clang-format -i

clean:
	rm -rf build build-*

.PHONY: all demo check check-debian torture planted fuzz install image-check bench bench-faults format clean FORCE
FORCE:
