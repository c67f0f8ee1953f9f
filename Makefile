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
SYSCONFDIR ?= /etc
Q         := $(if $(V),,@)
,         := ,
B         := $(O)$(if $(SANITIZE),/sanitize-$(subst $(,),-,$(SANITIZE)))

OPT       ?= $(if $(SANITIZE),-O1,-O2)
WARN      := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wpointer-arith -Werror
HARDEN    := -fstack-protector-strong $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2) -fPIE
CPPFLAGS  += -D_GNU_SOURCE -DSPILLWAY_VERSION='"$(VERSION)"' -Iinclude -Ibroker -include broker/base/banned.h
CFLAGS    += -std=c11 -g $(OPT) $(WARN) $(HARDEN) -ffunction-sections -fdata-sections -pthread \
             $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer $(WARN_LESS))
# The checks that sanitizers weave in mislead gcc's flow analysis; the plain build has these warnings.
WARN_LESS := $(if $(findstring clang,$(CC)),,-Wno-maybe-uninitialized -Wno-format-truncation -Wno-format-overflow)
LDFLAGS   += -pie -Wl,-z,relro,-z,now -Wl,--gc-sections -pthread $(if $(SANITIZE),-fsanitize=$(SANITIZE))

# ---- the tree, as a table of contents ----------------------------------------------------------------

BASE   := own err buf map heap arena clock log parse utf8 glob io json state
NET    := hash pace post http_trust http http_stream carry command ssh_config ssh_key ssh_rsa ssh_rsa_key known_hosts ssh ssh_auth ssh_relay
CONF   := yaml reader report indices resources inputs parts placement job class expand site site_driver \
          broker options option_time script sbatch
STORE  := store schema db needs writer bounds tasks described submit jobs attempts gangs load read ls events \
          workers sites blobs logs tokens usage prune care checkpoint schedules firings notices bursts
SCHED  := names share learn room fit ledger order pool lease leave reserve create teardown journal decide explain \
          swf sim sim_report sim_plot
SITES  := site program local tunnel_end tunnels remote ssh slurm/text slurm/home_text slurm/home slurm/driver \
          openstack/clouds openstack/catalogue openstack/fault openstack/session openstack/flavor \
          openstack/userdata openstack/nova openstack/neutron openstack/cinder openstack/glance openstack/upload openstack/things \
          openstack/calls openstack/placement openstack/worker openstack/many openstack/reach openstack/driver \
          heat/hot heat/answer heat/stack heat/output heat/driver heat/cluster magnum/pair magnum/answer \
          magnum/api magnum/driver cluster cluster_seen cluster_size \
          kubernetes/kubeconfig kubernetes/login kubernetes/object kubernetes/client kubernetes/judge \
          kubernetes/watch kubernetes/podspec kubernetes/agent kubernetes/capacity kubernetes/node kubernetes/audit \
          kubernetes/version kubernetes/driver
CRON   := civil zone tzif tzrule line expr plan coming run agenda timer
NOTIFY := message notify
API    := program api server request router routes decode problem policy auth rate pool watch stream listen tls \
          submit jobs job_read task_json logs outputs files blobs agent attempts glance events sites workers usage \
          tokens doctor metrics openapi schedules notices bursts
BROKER := main broker dispatch plan losses queue queue_todo queue_nodes queue_workers site_sets world world_sites \
          world_learned coming credentials caps experience left agents reports attempts lease reconcile explain status \
          burst burst_call burst_files burst_rule burst_steps
CLI    := main args help cli endpoint client sse term interrupt table task follow watch below describe inputs upload \
          submit run ls show explain logs fetch wait change sites probe workers top usage events token doctor version \
          completion manual schedule schedules notices burst simulate simulate_sites simulate_policy \
          simulate_journal
SLURM  := sbatch_env sbatch jobs fields squeue sacct scancel scontrol sinfo srun
AGENT  := main loop url digest resolve nonss tls transport http boot facts gpu cgroup slots place spawn joblog roster reap \
          attempt nodes env container limits workdir run lease inbox answer sync blob stage outputs upload

UNIT   := conf/test_broker conf/test_corpus conf/test_docs conf/test_job conf/test_options conf/test_schema \
          conf/test_script conf/test_yaml \
          net/test_carry net/test_http net/test_known_hosts net/test_pace net/test_ssh_config net/test_ssh_key net/test_ssh_rsa \
          store/test_blobs store/test_bursts store/test_care store/test_crash store/test_events store/test_full \
          store/test_gangs store/test_model store/test_notices store/test_open store/test_prune store/test_read \
          store/test_schedules store/test_submit store/test_tasks store/test_tokens store/test_workers \
          sched/test_decide sched/test_explain sched/test_learn sched/test_leave sched/test_place \
          sched/test_prepare sched/test_property sched/test_sim sched/test_swf \
          sites/test_cinder sites/test_clouds sites/test_cluster sites/test_examples sites/test_heat \
          sites/test_kubeconfig sites/test_kubernetes sites/test_openstack sites/test_session sites/test_slurm \
          sites/test_slurm_home sites/test_tunnels \
          cron/test_agenda cron/test_expr cron/test_oracle cron/test_plan cron/test_timer cron/test_zone \
          notify/test_message \
          broker/test_agents broker/test_attempts broker/test_credentials broker/test_experience broker/test_queue \
          broker/test_world \
          api/test_agent api/test_decode api/test_json api/test_routes api/test_server api/test_submit \
          api/test_watch \
          cli/test_args cli/test_below cli/test_endpoint cli/test_inputs cli/test_sse cli/test_table cli/test_term \
          agent/test_attempt agent/test_boot agent/test_gpu agent/test_http agent/test_inbox agent/test_loop \
          agent/test_outputs agent/test_place agent/test_slots

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
.PHONY: all unit help pages setup demo check check-unit check-e2e check-lab check-lab-openstack check-lab-slurm check-lab-kubernetes bench fuzz lint format install uninstall deb clean

# Slurm's commands: one program, in a folder of its own with a link for each name.
SLURM_DIR   := $(B)/libexec/spillway/slurm
SLURM_NAMES := sbatch squeue sacct scancel scontrol sinfo srun

all: $(PROGRAMS:%=$(B)/bin/%) $(SLURM_DIR)/spillway-slurm

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
$(eval $(call archive,notify,broker/notify,$(NOTIFY)))
$(eval $(call archive,api,broker/api,$(API)))
# All of the agent but its main().
$(eval $(call archive,agent,worker-agent,$(filter-out main,$(AGENT))))
$(eval $(call archive,cli,broker/cli,$(filter-out main,$(CLI))))
# It carries the document that describes the API.
$(B)/obj/broker/api/openapi.o: docs/openapi.yaml
# The broker carries the loader of its agent's parts: a program without any library.
LOADER := $(B)/obj/worker-agent/loader
$(LOADER): worker-agent/loader.c Makefile
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) -std=c11 -Os $(WARN) -ffreestanding -fno-stack-protector -fno-pie -fno-asynchronous-unwind-tables -static -nostdlib -s \
		-Wl,--build-id=none -Wl,-z,noseparate-code -o $@ $<
$(B)/obj/broker/sites/kubernetes/agent.o: $(LOADER)
$(B)/obj/broker/sites/kubernetes/agent.o: CPPFLAGS += -DSPILLWAY_LOADER='"$(LOADER)"'
# All of the broker but its main(), so that tests can link it.
$(eval $(call archive,broker,broker,$(filter-out main,$(BROKER))))

DAEMON_LIBS := $(foreach l,broker api notify cron sites store sched conf net base,$(call lib,$(l)))
CLI_LIBS    := $(foreach l,cron sched conf net base,$(call lib,$(l)))

$(B)/bin/spillwayd: $(B)/obj/broker/main.o $(DAEMON_LIBS)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< -Wl,--start-group $(DAEMON_LIBS) -Wl,--end-group $(LIBS_DAEMON)

$(B)/bin/spillway: $(B)/obj/broker/cli/main.o $(call lib,cli) $(CLI_LIBS)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_CLI)

$(SLURM_DIR)/spillway-slurm: $(B)/obj/broker/cli/slurm/main.o $(call objs,broker/cli/slurm,$(SLURM)) $(call lib,cli) $(CLI_LIBS)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_CLI)
	@for name in $(SLURM_NAMES); do ln -sf spillway-slurm $(@D)/$$name; done

# Static, so that it runs in any image; sanitizers cannot be linked statically.
$(B)/bin/spillway-agent: $(call objs,worker-agent,$(AGENT)) $(call lib,base)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(if $(SANITIZE),$(LDFLAGS),-static -Wl$(,)--gc-sections -pthread -s) -o $@ \
		$(call objs,worker-agent,$(AGENT)) $(call lib,base) $(LIBS_AGENT)

# ---- tests -------------------------------------------------------------------------------------------

UNIT_BIN := $(UNIT:%=$(B)/unit/%)

# What the tests of one folder share.
$(filter $(B)/unit/conf/%,$(UNIT_BIN)): $(B)/obj/tests/unit/conf/corpus.o
$(filter $(B)/unit/cli/%,$(UNIT_BIN)): $(call lib,cli)
$(filter $(B)/unit/sched/%,$(UNIT_BIN)): $(B)/obj/tests/unit/sched/world.o $(B)/obj/tests/unit/sched/random_world.o

$(B)/unit/%: $(B)/obj/tests/unit/%.o $(DAEMON_LIBS)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter-out $(DAEMON_LIBS),$^) -Wl,--start-group $(DAEMON_LIBS) -Wl,--end-group -lcmocka $(LIBS_DAEMON)

unit: $(UNIT_BIN)

$(B)/unit/agent/%: $(B)/obj/tests/unit/agent/%.o $(call lib,agent) $(call lib,base)
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(call lib,agent) $(call lib,base) -lcmocka $(LIBS_AGENT)

setup:
	@.ci/setup

RUN_TESTS := BUILD=$(B) SANITIZE=$(SANITIZE) tests/lib/run

check: setup
	@$(MAKE) --no-print-directory -j2 all unit
	@$(RUN_TESTS) $(if $(TESTS),$(TESTS),unit e2e)

check-unit: unit
	@$(RUN_TESTS) unit

check-e2e: all
	@$(RUN_TESTS) e2e

# As root, for it makes namespaces; LAB_KEEP=1 leaves the cloud running for the next time.
check-lab: check-lab-openstack check-lab-slurm check-lab-kubernetes

check-lab-openstack: all
	@BUILD=$(B) SANITIZE=$(SANITIZE) tests/lab/openstack/run $(TESTS)

# As root, for its daemons run as their own users.
check-lab-slurm: all
	@BUILD=$(B) SANITIZE=$(SANITIZE) tests/lab/slurm/run $(TESTS)

check-lab-kubernetes: all
	@BUILD=$(B) SANITIZE=$(SANITIZE) tests/lab/kubernetes/run $(TESTS)

demo: setup
	@$(MAKE) --no-print-directory -j2 all
	@BUILD=$(B) examples/demo.sh

BENCH_BIN := $(patsubst %,$(B)/bench/%,spawn_loop submit_load put_load sqlite_rows stamp store_bench sched_bench sim_bench schedule_bench agent_rate)

$(B)/bench/store_bench: $(B)/obj/tests/bench/store_bench.o $(foreach l,store conf net base,$(call lib,$(l)))
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lsqlite3 -lyaml -ljansson -lcrypto -lm

$(B)/bench/sched_bench $(B)/bench/sim_bench: $(B)/bench/%: $(B)/obj/tests/bench/%.o $(foreach l,sched base,$(call lib,$(l)))
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -ljansson -lm

$(B)/bench/schedule_bench: $(B)/obj/tests/bench/schedule_bench.o $(foreach l,cron store conf net base,$(call lib,$(l)))
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lsqlite3 -lyaml -ljansson -lcrypto -lm

$(B)/bench/agent_rate: $(B)/obj/tests/bench/agent_rate.o $(call lib,base)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -ljansson

$(B)/bench/%: $(B)/obj/tests/bench/%.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $< $(if $(findstring sqlite,$*),-lsqlite3)

bench: all $(BENCH_BIN)
	@BUILD=$(B) tests/bench/run $(BENCH)

# libFuzzer comes with clang alone, so these have objects of their own.
FUZZ       := job yaml site script cron tzif http_body agent_message ssh slurm kubeconfig openstack cluster
FUZZ_CC    ?= clang
FUZZ_FLAGS := -std=c11 -g -O1 $(WARN) -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
FUZZ_OBJ   := $(patsubst %,$(O)/fuzz/obj/broker/base/%.o,$(BASE)) \
              $(patsubst %,$(O)/fuzz/obj/broker/conf/%.o,$(CONF)) $(patsubst %,$(O)/fuzz/obj/broker/cron/%.o,$(CRON)) \
              $(patsubst %,$(O)/fuzz/obj/broker/net/%.o,hash ssh_config ssh_rsa_key known_hosts) $(O)/fuzz/obj/broker/sites/slurm/text.o $(O)/fuzz/obj/broker/sites/slurm/home_text.o $(O)/fuzz/obj/broker/reports.o \
              $(patsubst %,$(O)/fuzz/obj/broker/sites/openstack/%.o,things flavor fault catalogue) \
              $(patsubst %,$(O)/fuzz/obj/broker/api/%.o,submit decode policy problem)
FUZZ_BIN   := $(FUZZ:%=$(O)/fuzz/fuzz_%)

$(O)/fuzz/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	@$(if $(V),,echo "  CC    $< (fuzz)")
	$(Q)$(FUZZ_CC) $(CPPFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -pthread -MMD -MP -c $< -o $@

$(O)/fuzz/libfuzzed.a: $(FUZZ_OBJ)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(O)/fuzz/fuzz_%: $(O)/fuzz/obj/tests/fuzz/fuzz_%.o $(O)/fuzz/libfuzzed.a
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer -pthread -o $@ $^ -lyaml -ljansson -lcrypto -lm

FUZZ_KUBE := $(patsubst %,$(O)/fuzz/obj/broker/%.o,net/command sites/heat/output $(patsubst %,sites/kubernetes/%,kubeconfig login object judge version))
$(O)/fuzz/fuzz_kubeconfig: $(O)/fuzz/obj/tests/fuzz/fuzz_kubeconfig.o $(FUZZ_KUBE) $(O)/fuzz/libfuzzed.a
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer -pthread -o $@ $^ -lyaml -ljansson -lcrypto -lm

# The agent's parts have libraries of their own.
FUZZ_AGENT := $(patsubst %,$(O)/fuzz/obj/worker-agent/%.o,answer attempt boot cgroup digest http inbox joblog loop nonss resolve tls transport url)
$(O)/fuzz/fuzz_agent: $(O)/fuzz/obj/tests/fuzz/fuzz_agent.o $(FUZZ_AGENT) $(O)/fuzz/libfuzzed.a
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer -pthread -o $@ $^ $(LIBS_AGENT)

FUZZ_CLUSTER := $(patsubst %,$(O)/fuzz/obj/broker/sites/%.o,cluster_seen magnum/answer heat/answer kubernetes/node kubernetes/object)
$(O)/fuzz/fuzz_cluster: $(O)/fuzz/obj/tests/fuzz/fuzz_cluster.o $(FUZZ_CLUSTER) $(O)/fuzz/libfuzzed.a
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer -pthread -o $@ $^ -lyaml -ljansson -lcrypto -lm

# FUZZ_SECONDS=N each, FUZZ="job yaml" only these
fuzz: $(FUZZ_BIN)
	@BUILD=$(O)/fuzz tests/fuzz/run $(FUZZ)

# The manual pages and completion scripts that come from the command line's own tables.
pages: $(B)/bin/spillway
	@for page in spillway spillway-submit; do $< __manual $$page >docs/man/$$page.1; done
	@$< completion bash >docs/completion/spillway.bash
	@$< completion zsh >docs/completion/_spillway

lint:
	@tests/lib/lint

format:
	@git ls-files '*.[ch]' | xargs clang-format -i

# ---- installing --------------------------------------------------------------------------------------

install: all
	@B=$(B) DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) SYSCONFDIR=$(SYSCONFDIR) .ci/install

uninstall:
	@DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) SYSCONFDIR=$(SYSCONFDIR) .ci/install uninstall

deb: all
	@B=$(B) VERSION=$(VERSION) .ci/deb

clean:
	rm -rf $(O)

help:
	@echo "make            build spillwayd, spillway and spillway-agent into $(O)/bin"
	@echo "make demo       set up, build, run a real analysis on this machine, show its results"
	@echo "make check      set up, build, run all tests that need no network and no root"
	@echo "                (TESTS=\"unit store\" picks some, SANITIZE=address,undefined or thread builds them so)"
	@echo "make check-lab  all of the next"
	@echo "make check-lab-openstack  against real OpenStack services on this machine (root, Debian); LAB_LONG=1: the long form"
	@echo "make check-lab-slurm  against a real Slurm with sshd on this machine (root, Debian)"
	@echo "make check-lab-kubernetes  against a real Kubernetes on this machine (root, Debian)"
	@echo "make bench      figures, each beside a peer measured in the same run (BENCH=name picks one)"
	@echo "make lint       clang-format, clang-tidy, cppcheck, shellcheck, mandoc, as far as they are installed"
	@echo "make install    into PREFIX (default /usr/local), below DESTDIR; uninstall takes it away again"
	@echo "make deb        a Debian package in $(O)"
	@echo "make unit, check-unit, check-e2e, format, clean"

-include $(shell find $(B)/obj $(O)/fuzz -name '*.d' 2>/dev/null)
