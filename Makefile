# ngx_http_payer_module.  `make help` lists what there is to make.
#
# Everything is written to build/; recipes of more than a few lines are
# scripts in tools/.

SHELL = /bin/sh
.DEFAULT_GOAL = all

# Installs the Debian packages a target needs; INSTALL=: where you see to
# that yourself.
INSTALL = tools/install

# Where the demo keeps payments: lmdb, or postgresql with two nginx over it.
STORE ?= lmdb

# nginx's source tree, as Debian's nginx-dev ships it.
export NGINX_SRC ?= /usr/share/nginx/src

OUTPUT = build/ngx_http_payer_module.so
# with the one for PostgreSQL, where it was built
MODULES = $$(ls $(OUTPUT) build/ngx_http_payer_postgres_module.so 2>/dev/null)
DESTDIR =
MODULES_DIR = /usr/lib/nginx/modules
CONF_DIR = /etc/nginx
SBIN_DIR = /usr/sbin

PROVE = tools/prove
PROVE_FLAGS = -j4 --timer
# t/shops needs what `make shops` fetches
# the longest ones first, so that the last one to end is a short one
TESTS = $(filter-out t/shops/%,$(sort $(wildcard t/*/*.t)) \
	$(sort $(wildcard t/*.t demo/t/*.t)))

FUZZ_SECONDS = 60
STORM_SECONDS = 15

# of `make hostile`; SEED=n repeats what a run has found
SECONDS = 60
SEED =

# $(call need,FILE,what is missing then)
need = test -e $(1) || { echo "make $@: $(1) is not there: $(2)" >&2; exit 1; }


.PHONY: all demo demo-check demo-store test fresh storm hostile fleet shops lint asan \
	valgrind matrix oom fuzz fuzz-check bench bench-quick bench-guard deb \
	debian-check screenshots install clean help

all:  ## build the module for the installed nginx, and payer-store
	@$(call need,config,there is no module to build)
	@$(INSTALL) build
	@tools/build-module $(OUTPUT)
	@tools/build-payer-store build/payer-store

demo: demo-store all  ## start simulator, toy shop and nginx; STORE=postgresql for two nginx
	@$(call need,demo/run,there is no demo to start)
	@$(INSTALL) build demo $(DEMO_STORE)
	@STORE=$(STORE) exec demo/run

demo-check: demo-store all  ## drive the demo through a whole purchase; STORE=postgresql
	@$(call need,demo/check,there is no demo to check)
	@$(INSTALL) build demo $(DEMO_STORE)
	@STORE=$(STORE) demo/check

DEMO_STORE = $(if $(filter postgresql,$(STORE)),demo-postgresql)

demo-store:
	@case "$(STORE)" in lmdb|postgresql) ;; *) echo "make: unknown" \
	    "STORE=$(STORE): it can be lmdb or postgresql" >&2; exit 1 ;; esac

test: all  ## run all tests; TESTS="t/..." for some, PROVE_FLAGS for prove
	@$(INSTALL) build demo test
	@tools/test-nginx >/dev/null
	PAYER_REQUIRE_BROWSER=1 $(PROVE) $(PROVE_FLAGS) $(TESTS)

fresh:  ## demo and tests on a fresh Debian; TESTS="t/..." for some
	@$(INSTALL) fresh
	@tools/fresh $(if $(filter command line environment,$(origin TESTS)),$(TESTS))

storm: all  ## reloads, kills, faults under load; STORM_SECONDS for each
	@$(INSTALL) build demo test
	@tools/test-nginx >/dev/null
	STORM_SECONDS=$(STORM_SECONDS) prove -v $(wildcard t/8*storm*.t)

hostile: all  ## clients, Payer and shop with bad timing, for SECONDS; SEED=n
	@$(INSTALL) build demo test
	@t/hostile/run --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

fleet: all  ## two hosts over PostgreSQL with standbys: the fault table
	@$(INSTALL) build demo test fleet
	@tools/test-nginx >/dev/null
	FLEET_FULL=1 prove -v --timer $(wildcard t/fleet/*.t)

shops: all  ## buy in real shop software, fetched with npm; SHOP=evershop too
	@$(INSTALL) build demo test
	@command -v npm >/dev/null || $(INSTALL) shops
	@tools/test-nginx >/dev/null
	@tools/shops

lint:  ## style, analyzers and the rules of the architecture
	@$(INSTALL) build demo test lint
	@tools/test-nginx >/dev/null
	@tools/lint

asan: all  ## run all tests under address and undefined behaviour sanitizers
	@$(INSTALL) build demo test asan
	@tools/asan $(TESTS)

valgrind:  ## run the core of the tests under valgrind's memcheck
	@$(INSTALL) build demo test asan valgrind
	@tools/valgrind $(VALGRIND_TESTS)

# nginx would take it for the sockets that it inherits
unexport NGINX

# what is meant for this makefile would replace CFLAGS and others in nginx's
unexport MAKEFLAGS MFLAGS

matrix: all  ## all tests with nginx 1.22, 1.26, 1.30, or NGINX="tree ..."
	@$(INSTALL) build demo test asan
	@MATRIX_TREES="$(NGINX)" tools/matrix $(TESTS)

oom: all  ## fail every allocation of everything that the module does
	@$(INSTALL) build demo test
	@tools/test-nginx >/dev/null
	OOM_FULL=1 prove -v --timer t/830.out-of-memory.t

fuzz:  ## fuzz each target for FUZZ_SECONDS
	@$(call need,fuzz/run,there is nothing to fuzz)
	@$(INSTALL) build fuzz
	@fuzz/run $(FUZZ_SECONDS)

fuzz-check:  ## replay every fuzz corpus once
	@$(call need,fuzz/check,there is nothing to fuzz)
	@$(INSTALL) build fuzz
	@fuzz/check

screenshots: all  ## make the pictures of the documentation anew
	@$(INSTALL) build demo test
	@tools/screenshots

bench: all  ## measure against the goals, and write docs/performance.md
	@$(call need,bench/run,there is no benchmark)
	@$(INSTALL) build bench
	@bench/run --full --write

bench-quick: all  ## the same in less than 5 minutes, without writing
	@$(call need,bench/run,there is no benchmark)
	@$(INSTALL) build bench
	@bench/run

bench-guard: all  ## fail if a visit costs more than it did
	@$(call need,bench/guard,there is no benchmark)
	@$(INSTALL) build bench
	@bench/guard

deb: all  ## build a Debian package for the installed nginx
	@$(INSTALL) build deb
	@tools/deb

debian-check: deb  ## the package and README's configuration on a plain Debian
	@$(INSTALL) debian demo
	@tools/debian-check

install: all  ## copy the modules to nginx's directory of modules, and the tool
	@$(call need,conf/payer_api.conf,the include file is missing)
	install -d "$(DESTDIR)$(MODULES_DIR)" "$(DESTDIR)$(CONF_DIR)" \
	    "$(DESTDIR)$(SBIN_DIR)"
	install -m 644 $(MODULES) "$(DESTDIR)$(MODULES_DIR)/"
	install -m 644 conf/payer_api.conf "$(DESTDIR)$(CONF_DIR)/"
	install -m 755 build/payer-store "$(DESTDIR)$(SBIN_DIR)/"

clean:  ## remove everything that was built
	rm -rf build

help:  ## list all targets
	@sed -n 's/^\([a-z-]*\):.*##  *\(.*\)/make \1\t\2/p' Makefile \
	    | expand -t 20
