# One hand-written, non-recursive Makefile. configure writes config.mk; objects go to build/.
#
#   build/rel/   what is installed          build/asan/  the same under ASan and UBSan, for the tests
#   build/fuzz/  the libFuzzer targets         build/cov/   what the fuzz corpora reach
#
# A file is built because of the folder it lies in: a new source needs no new line here.

.DEFAULT_GOAL := all
.SUFFIXES:
.DELETE_ON_ERROR:
.PHONY: all check check-unit check-vectors check-integration check-socket check-interop check-vm check-fuzz fuzz \
	fuzz-coverage fuzz-canary demo demo-vm bench bench-vm lint lint-arrows lint-man lint-length lint-headers lint-cppcheck tidy format format-check \
	install uninstall dist clean

# What the user's two commands need is installed by them; plain `make` installs nothing.
NEEDS_DEPS := $(filter demo demo-% check check-% bench bench-% lint tidy fuzz fuzz-%,$(MAKECMDGOALS))
config.mk: configure.ac config.mk.in tools/install-deps
	$(if $(NEEDS_DEPS),tools/install-deps)
	autoconf -I /usr/share/aclocal && autoheader -I /usr/share/aclocal && ./configure -q
ifneq ($(MAKECMDGOALS),clean)
-include config.mk
endif

ROOMS   := core base store mesh net enroll control
SRC     := $(foreach r,$(ROOMS),$(wildcard src/$(r)/*.c)) build/sql.c build/interface.c
# The clients' rooms but their main(): tests link them too.
SRC     += $(filter-out %/main.c,$(wildcard src/cli/*.c src/enrollee/*.c))
FW      := $(wildcard firmware/core/*.c) $(wildcard firmware/port/host/*.c)
CLI     := $(wildcard src/cli/*.c)
AGENT   := $(wildcard src/enrollee/*.c)
DAEMON  := $(wildcard src/daemon/*.c)
FAKE    := $(wildcard tests/fakebluez/*.c)
# The emulated controller for a real bluetoothd, on the same air and with the same orders.
RADIO_PARTS := $(filter-out tests/vm/radio.c tests/vm/tsc_khz.c,$(wildcard tests/vm/*.c))
RADIO   := tests/vm/radio.c $(RADIO_PARTS) tests/fakebluez/drive.c tests/fakebluez/orders.c tests/fakebluez/bad_peer.c
UNITS   := $(wildcard tests/unit/*/test_*.c)
VECTORS_SRC := $(wildcard tests/vectors/test_*.c)
FUZZERS := $(wildcard tests/fuzz/fuzz_*.c)
BENCHES := $(wildcard tests/bench/*.c)
SUPPORT := $(filter-out tests/support/killshim.c,$(wildcard tests/support/*.c)) \
	$(filter-out tests/vm/radio.c tests/fakebluez/fakebluez.c,$(RADIO) $(FAKE))
VECTORS ?= tests/vectors
FUZZ_SECONDS ?= 60

CSTD    := -std=c11 -D_GNU_SOURCE
WARN    := -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wswitch-enum -Wvla -Wformat=2 $(WERROR)
INC     := -I. -Iinclude -Isrc
HARDEN  := -fstack-protector-strong -fstack-clash-protection -fPIE
SAN     := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
COMMON  := $(CSTD) $(WARN) $(INC) $(HARDEN) $(LIB_CFLAGS) -MMD -MP -g
FLAGS_rel  := $(COMMON) -O2 -D_FORTIFY_SOURCE=2 $(if $(filter yes,$(SANITIZE)),$(SAN))
FLAGS_asan := $(COMMON) -O1 $(SAN)
FLAGS_fuzz := $(COMMON) -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -DENR_FUZZ
FLAGS_cov  := $(COMMON) -O0 -Wno-maybe-uninitialized --coverage
# The sanitizers' fuzzer is clang's; the counters of build/cov are read by gcc's own gcov.
CC_rel  = $(CC)
CC_asan = $(CC)
CC_fuzz = $(CLANG)
CC_cov  = gcc
LDFLAGS_rel  := -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(if $(filter yes,$(SANITIZE)),$(SAN))
LDFLAGS_asan := -pie $(SAN)
LDFLAGS_fuzz := -fsanitize=fuzzer,address,undefined
LDFLAGS_cov  := -pie --coverage
LIBS    := $(EVENT_LIBS) $(DBUS_LIBS) $(CRYPTO_LIBS) $(SQLITE_LIBS) $(JANSSON_LIBS) $(COAP_LIBS) $(QR_LIBS)

objs = $(patsubst %.c,build/$(1)/%.o,$(patsubst build/%,gen/%,$(2)))
PROGRAMS := $(if $(DAEMON),enrolld) $(if $(CLI),enrollctl) $(if $(AGENT),enrollee) $(if $(FAKE),fakebluez) radio
INSTALLED := $(filter-out fakebluez radio,$(PROGRAMS))

all: $(PROGRAMS:%=build/rel/%) $(if $(filter yes,$(FUZZ)),fuzz)

# --- how things are made -------------------------------------------------------------------

# One short line a file; the whole commands with V=1.
say := $(if $(V),,@echo "  )
end := $(if $(V),," && )

build/sql.c: tools/embed-sql $(wildcard sql/*.sql)
	@mkdir -p build
	@tools/embed-sql $(wildcard sql/*.sql) >$@
build/interface.c: tools/embed-text src/control/org.enrolld.control.varlink
	@mkdir -p build
	@tools/embed-text control/interface.h interface_description src/control/org.enrolld.control.varlink >$@

define variant
build/$(1)/gen/%.o: build/%.c config.mk
	@mkdir -p $$(@D)
	$$(say)CC   $$<$$(end)$$(CC_$(1)) $$(FLAGS_$(1)) $$(CFLAGS) -c -o $$@ $$<
build/$(1)/tests/%.o: tests/%.c config.mk
	@mkdir -p $$(@D)
	$$(say)CC   $$<$$(end)$$(CC_$(1)) $$(FLAGS_$(1)) $$(CHECK_CFLAGS) -Itests $$(CFLAGS) -c -o $$@ $$<
build/$(1)/%.o: %.c config.mk
	@mkdir -p $$(@D)
	$$(say)CC   $$<$$(end)$$(CC_$(1)) $$(FLAGS_$(1)) $$(CFLAGS) -c -o $$@ $$<

build/$(1)/libenr.a: $$(call objs,$(1),$$(SRC))
	@rm -f $$@
	@$$(AR) rcs $$@ $$^
build/$(1)/libnode.a: $$(call objs,$(1),$$(FW))
	@rm -f $$@
	@$$(AR) rcs $$@ $$^
build/$(1)/libsupport.a: $$(call objs,$(1),$$(SUPPORT))
	@rm -f $$@
	@$$(AR) rcs $$@ $$^
build/$(1)/enrolld: $$(call objs,$(1),$$(DAEMON)) build/$(1)/libenr.a
	$$(say)LD $$@$$(end)$$(CC) $$(LDFLAGS_$(1)) -o $$@ $$^ $$(LIBS)
build/$(1)/enrollctl: $$(call objs,$(1),$$(CLI)) build/$(1)/libenr.a
	$$(say)LD $$@$$(end)$$(CC) $$(LDFLAGS_$(1)) -o $$@ $$^ $$(JANSSON_LIBS) $$(QR_LIBS) $$(CRYPTO_LIBS)
build/$(1)/enrollee: $$(call objs,$(1),$$(AGENT)) build/$(1)/libenr.a
	$$(say)LD $$@$$(end)$$(CC) $$(LDFLAGS_$(1)) -o $$@ $$^ $$(COAP_LIBS) $$(CRYPTO_LIBS)
build/$(1)/fakebluez: $$(call objs,$(1),$$(FAKE)) build/$(1)/libnode.a build/$(1)/libenr.a
	$$(say)LD $$@$$(end)$$(CC) $$(LDFLAGS_$(1)) -o $$@ $$^ $$(EVENT_LIBS) $$(DBUS_LIBS) $$(CRYPTO_LIBS)
build/$(1)/radio: $$(call objs,$(1),$$(RADIO)) build/$(1)/libnode.a build/$(1)/libenr.a
	$$(say)LD $$@$$(end)$$(CC) $$(LDFLAGS_$(1)) -o $$@ $$^ $$(EVENT_LIBS) $$(CRYPTO_LIBS)
build/$(1)/tests/%: build/$(1)/tests/%.o build/$(1)/libsupport.a build/$(1)/libnode.a build/$(1)/libenr.a
	$$(say)LD $$@$$(end)$$(CC_$(1)) $$(LDFLAGS_$(1)) -o $$@ $$^ $$(LIBS) $(if $(filter fuzz,$(1)),,$$(CHECK_LIBS))
endef
$(foreach v,rel asan fuzz cov,$(eval $(call variant,$(v))))
.SECONDARY:

# Objects that define the version or paths of installation are few: they get them by name.
build/rel/src/daemon/%.o build/asan/src/daemon/%.o build/rel/src/cli/%.o build/asan/src/cli/%.o \
build/rel/src/enrollee/%.o build/asan/src/enrollee/%.o: CFLAGS += -DVERSION='"$(VERSION)"'

# The chip's stack is small: no function of the node's core may need more than this of it.
build/rel/firmware/core/%.o: CFLAGS += $(if $(findstring clang,$(CC)),,-Wstack-usage=1024)

-include $(shell find build -name '*.d' 2>/dev/null)

# --- tests ---------------------------------------------------------------------------------

UNIT_BIN    := $(UNITS:%.c=build/asan/%)
VECTOR_BIN  := $(VECTORS_SRC:%.c=build/asan/%)
FUZZ_BIN    := $(FUZZERS:%.c=build/fuzz/%)
REPLAY      := $(FUZZERS:%.c=build/asan/%-replay)

# Its summary counts what this make has run, `make check-vm check` the virtual machine's tests as well.
check: lint check-unit check-vectors check-fuzz check-integration check-socket check-interop
	@tools/check-summary $(sort $(patsubst check-%,%,$(filter check-%,$^ $(MAKECMDGOALS))))

check-unit: $(UNIT_BIN)
	@tools/run-tests unit $(UNIT_BIN)

check-vectors: $(VECTOR_BIN)
	@VECTORS=$(VECTORS) tools/run-tests vectors $(VECTOR_BIN)

# The corpora are replayed by the sanitized build with a plain main(); finding new input is `make fuzz`.
define replay
build/$(1)/tests/fuzz/%-replay: build/$(1)/tests/fuzz/%.o build/$(1)/tests/fuzz/replay.o build/$(1)/libsupport.a build/$(1)/libnode.a build/$(1)/libenr.a
	$$(say)LD $$@$$(end)$$(CC_$(1)) $$(LDFLAGS_$(1)) -o $$@ $$^ $$(LIBS)
endef
$(foreach v,asan cov,$(eval $(call replay,$(v))))
check-fuzz: $(REPLAY)
	@tools/run-tests fuzz $(REPLAY)
# How many lines of each decoder its corpus reaches, against tests/fuzz/coverage.
fuzz-coverage: $(FUZZERS:%.c=build/cov/%-replay)
	@tools/fuzz-coverage build/cov
fuzz: $(FUZZ_BIN)
	@for f in $(FUZZ_BIN); do n=$${f##*/fuzz_}; mkdir -p build/corpus/$$n; \
	echo "== $$n"; $$f -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=build/corpus/$$n- build/corpus/$$n tests/fuzz/corpus/$$n || exit 1; done


# A bug of one byte, planted in the session's decoder, is found in a million runs (each of 12 seeds
# that were tried needed less than 17 000).
CANARY := tests/fuzz/fuzz_meshsec.c $(wildcard src/core/meshsec*.c src/core/meshmsg*.c)
build/canary/fuzz_meshsec: $(CANARY) $(wildcard include/enr/*.h src/core/*.h tests/fuzz/*.h) config.mk
	@mkdir -p $(@D)
	$(say)LD $@$(end)$(CLANG) $(filter-out -MMD -MP,$(FLAGS_fuzz)) -DFUZZ_CANARY -Itests $(LDFLAGS_fuzz) -o $@ $(CANARY)
fuzz-canary: build/canary/fuzz_meshsec
	@tools/fuzz-canary $< tests/fuzz/corpus/meshsec 1 1000000

build/rel/tests/killshim.so: tests/support/killshim.c config.mk
	@mkdir -p $(@D)
	$(say)CC   $<$(end)$(CC) $(CSTD) $(WARN) -fPIC -shared -O1 -o $@ $<
check-integration: build/rel/tests/killshim.so all $(PROGRAMS:%=build/asan/%)
	@JOBS=4 tools/run-tests integration $(wildcard tests/integration/test_*.py)
# The mesh once more over link_socket, where enrolld's mesh goes by the simulated time.
SOCKET := $(wildcard tests/integration/test_mesh*.py) tests/integration/test_terminal.py
check-socket: all
	@MESH_LINK=socket tools/run-tests socket $(SOCKET)
check-interop: all
	@tools/run-tests interop $(wildcard tests/interop/test_*.py)
# The real bluetoothd and kernel, in a virtual machine that has our simulated air as its radio.
VM_TESTS ?= $(wildcard tests/vm/test_*.py)
TSC := build/rel/tests/vm/tsc_khz
check-vm: all $(TSC)
	@tools/install-deps vm
	@tests/vm/check $(VM_TESTS)

demo: all
	@tests/demo/demo $(FAULT)
demo-vm: all $(TSC)
	@tools/install-deps vm
	@tests/vm/guest -- tests/vm/session tests/vm/demo $(FAULT)
bench-vm: all $(TSC) build/rel/tests/vm/peer/meshshim.so
	@tools/install-deps vm peer
	@tests/vm/guest -- tests/vm/session tests/vm/bench
	@tests/vm/guest -t 900 -- tests/vm/session tests/vm/peer/compare
$(TSC): tests/vm/tsc_khz.c config.mk
	@mkdir -p $(@D)
	$(say)CC   $<$(end)$(CC) $(CSTD) $(WARN) -O1 -o $@ $<
# For BlueZ's own mesh daemon, to which we compare ourselves.
build/rel/tests/vm/peer/meshshim.so: tests/vm/peer/meshshim.c config.mk
	@mkdir -p $(@D)
	$(say)CC   $<$(end)$(CC) $(CSTD) $(WARN) -fPIC -shared -O1 -o $@ $<
bench: all $(BENCHES:%.c=build/rel/%)
	@tests/bench/run

# --- lint ----------------------------------------------------------------------------------

CODE := $(shell git ls-files '*.c' '*.h' 2>/dev/null)
LINTED := $(wildcard src/*/*.c firmware/core/*.c)
lint: lint-arrows lint-man lint-length lint-headers lint-cppcheck format-check
lint-arrows:
	@tools/lint-arrows
lint-man:
	@$(if $(wildcard man/*.[1-8]),$(MANDOC) -Tlint -Wwarning $(wildcard man/*.[1-8]),:)
lint-length:
	@tools/lint-length
lint-headers:
	@tools/lint-headers $(CC) $(CSTD) $(WARN) $(INC) $(LIB_CFLAGS)
lint-cppcheck:
	@$(CPPCHECK) --quiet -j2 --std=c11 --enable=warning,performance,portability --error-exitcode=1 \
	--inline-suppr --suppress=missingIncludeSystem -D_GNU_SOURCE -DVERSION='""' $(INC) $(LINTED) $(wildcard firmware/port/host/*.c)
# Two minutes, so it is not part of lint. Its own words about suppressed findings go to stderr.
tidy:
	@echo $(LINTED) | tr ' ' '\n' | xargs -P 2 -I '{}' $(CLANG_TIDY) --quiet '{}' -- \
	$(CSTD) $(INC) $(LIB_CFLAGS) -DVERSION='""' 2>/dev/null
format:
	$(CLANG_FORMAT) -i $(CODE)
format-check:
	@$(if $(CODE),$(CLANG_FORMAT) --dry-run --Werror $(CODE),:)

# --- install -------------------------------------------------------------------------------

install: all
	tools/install-files install "$(DESTDIR)" "$(prefix)" "$(sbindir)" "$(bindir)" "$(mandir)" "$(datadir)" "$(sysconfdir)"
uninstall:
	tools/install-files uninstall "$(DESTDIR)" "$(prefix)" "$(sbindir)" "$(bindir)" "$(mandir)" "$(datadir)" "$(sysconfdir)"
dist:
	git archive --prefix=enrolld-$(VERSION)/ -o enrolld-$(VERSION).tar.gz HEAD
clean:
	rm -rf build config.mk config.h config.h.in config.log config.status configure autom4te.cache
