# SPDX-License-Identifier: Apache-2.0
# Makefile - every target of Spillway.  `make help` lists them.
#
#   O=DIR          where to build                (default build)
#   CC=clang       compiler                      (default gcc)
#   SANITIZE=LIST  address,undefined or thread   (builds below O/sanitize-LIST)
#   V=1            show commands
VERSION   := 0.1.0
CC        := $(if $(filter default,$(origin CC)),gcc,$(CC))
O         ?= build
SANITIZE  ?=
PREFIX    ?= /usr/local
DESTDIR   ?=
Q         := $(if $(V),,@)
,         := ,
B         := $(O)$(if $(SANITIZE),/sanitize-$(subst $(,),-,$(SANITIZE)))

OPT       ?= $(if $(SANITIZE),-O1,-O2)
WARN      := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wpointer-arith -Werror
HARDEN    := -fstack-protector-strong $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2) -fPIE
CPPFLAGS  += -D_GNU_SOURCE -DSPILLWAY_VERSION='"$(VERSION)"' -Iinclude -Ibroker -include broker/base/banned.h
CFLAGS    += -std=c11 -g $(OPT) $(WARN) $(HARDEN) -ffunction-sections -fdata-sections -pthread \
             $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer)
LDFLAGS   += -pie -Wl,-z,relro,-z,now -Wl,--gc-sections -pthread $(if $(SANITIZE),-fsanitize=$(SANITIZE))

# ---- the tree, as a table of contents ----------------------------------------------------------------

BASE   := own err buf map heap arena clock log parse utf8 glob io json state
NET    := hash
CONF   :=
STORE  :=
SCHED  := names
SITES  :=
CRON   :=
API    :=
BROKER :=
CLI    :=
AGENT  :=

UNIT   :=

# ---- how it is built ---------------------------------------------------------------------------------

PROGRAMS := $(if $(BROKER),spillwayd) $(if $(CLI),spillway) $(if $(AGENT),spillway-agent)
objs      = $(patsubst %,$(B)/obj/$(1)/%.o,$(2))
lib       = $(B)/lib/lib$(1).a

LIBS_DAEMON := -lmicrohttpd -lcurl -lssh2 -lsqlite3 -lyaml -ljansson -lssl -lcrypto -lm
LIBS_CLI    := -lcurl -lyaml -ljansson -lssl -lcrypto -lm
LIBS_AGENT  := -lhttp_parser -lcares -ljansson -lmbedtls -lmbedx509 -lmbedcrypto

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all help setup demo check check-unit check-e2e check-lab bench fuzz lint format install \
        uninstall deb clean

all: $(PROGRAMS:%=$(B)/bin/%)

$(B)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	@$(if $(V),,echo "  CC    $<")
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# archive(name, folder, files)
define archive
$(call lib,$(1)): $(call objs,$(2),$(3))
	@mkdir -p $$(@D)
	@rm -f $$@
	$(Q)ar rcs $$@ $$^
endef
$(eval $(call archive,base,broker/base,$(BASE)))
$(eval $(call archive,net,broker/net,$(NET)))
$(eval $(call archive,conf,broker/conf,$(CONF)))
$(eval $(call archive,store,broker/store,$(STORE)))
$(eval $(call archive,sched,broker/sched,$(SCHED)))
$(eval $(call archive,sites,broker/sites,$(SITES)))
$(eval $(call archive,cron,broker/cron,$(CRON)))
$(eval $(call archive,api,broker/api,$(API)))
# All of the broker but its main(), so that tests can link it.
$(eval $(call archive,broker,broker,$(filter-out main,$(BROKER))))

DAEMON_LIBS := $(foreach l,broker api cron sites store sched conf net base,$(call lib,$(l)))
CLI_LIBS    := $(foreach l,cron sched conf net base,$(call lib,$(l)))

$(B)/bin/spillwayd: $(B)/obj/broker/main.o $(DAEMON_LIBS)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(DAEMON_LIBS) $(LIBS_DAEMON)

$(B)/bin/spillway: $(call objs,broker/cli,$(CLI)) $(CLI_LIBS)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(call objs,broker/cli,$(CLI)) $(CLI_LIBS) $(LIBS_CLI)

# Static, so that it runs in any image; sanitizers cannot be linked statically.
$(B)/bin/spillway-agent: $(call objs,worker-agent,$(AGENT)) $(call lib,base)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(if $(SANITIZE),$(LDFLAGS),-no-pie -static -Wl$(,)--gc-sections -pthread -s) -o $@ \
		$(call objs,worker-agent,$(AGENT)) $(call lib,base) $(LIBS_AGENT)

# ---- tests -------------------------------------------------------------------------------------------

UNIT_BIN := $(UNIT:%=$(B)/unit/%)

$(B)/unit/%: $(B)/obj/tests/unit/%.o $(DAEMON_LIBS)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< -Wl,--start-group $(DAEMON_LIBS) -Wl,--end-group -lcmocka $(LIBS_DAEMON)

setup:
	@.ci/setup

check: setup
	@$(MAKE) --no-print-directory -j2 all $(UNIT_BIN)
	@BUILD=$(B) CC=$(CC) SANITIZE=$(SANITIZE) tests/lib/run $(if $(TESTS),$(TESTS),unit e2e)

check-unit: $(UNIT_BIN)
	@BUILD=$(B) tests/lib/run unit

check-e2e: all
	@BUILD=$(B) tests/lib/run e2e

clean:
	rm -rf $(O)

help:
	@echo "make            build spillwayd, spillway and spillway-agent into $(O)/bin"
	@echo "make demo       set up, build, run a real analysis on this machine, show its results"
	@echo "make check      set up, build, run all tests that need no network and no root"
	@echo "make check-unit, check-e2e, check-lab, bench, fuzz, lint, format, install, uninstall, deb, clean"

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
