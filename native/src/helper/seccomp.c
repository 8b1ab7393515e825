/*
 * The system call filter of a step, equal in effect to docker's default profile for docker's default capabilities.
 * Written as classic BPF by hand: per ABI a list of ranges of permitted numbers, and four calls judged by their
 * arguments. What no profile knows yet (numbers above its last) answers ENOSYS, as runc does, so that C libraries
 * fall back; everything else that is not permitted answers EPERM.
 */
#include "helper.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum abi { X86_64, X32, I386, AARCH64, ARM, ABI_COUNT };

static const int permitted[][ABI_COUNT] = {
#include "seccomp-table.h"
};

/* Numbers of the calls judged by argument; the order of enum abi. */
static const int clone_call[ABI_COUNT] = {56, 56, 120, 220, 120};
static const int clone3_call[ABI_COUNT] = {435, 435, 435, 435, 435};
static const int personality_call[ABI_COUNT] = {135, 135, 136, 92, 136};
static const int socket_call[ABI_COUNT] = {41, 41, 359, 198, 281};

enum {
  /* removexattrat, the last call that docker's profile names. */
  LAST_KNOWN_CALL = 466,
  /* x32 has its own numbers for some calls, at the end of the range: pwritev2 is the last. */
  LAST_KNOWN_X32_CALL = 547,
  X32_BIT = 0x40000000,
  /* CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}: needs CAP_SYS_ADMIN in docker's profile. */
  NAMESPACE_FLAGS = 0x7e020000,
  AF_VSOCK_FAMILY = 40,
};

/* personality(2) values that only name Linux itself, two of its variants, or ask. */
static const uint32_t personalities[] = {0x0, 0x8, 0x20000, 0x20008, 0xffffffff};

static struct sock_filter program[4096];
static unsigned short length;

static void add(uint16_t code, uint32_t value, uint8_t if_true, uint8_t if_false) {
  if (length == sizeof program / sizeof *program) fail("spec", 1, "the system call filter is too long");
  program[length++] = (struct sock_filter){code, if_true, if_false, value};
}

static void give(uint32_t action) { add(BPF_RET | BPF_K, action, 0, 0); }
static void allow(void) { give(SECCOMP_RET_ALLOW); }
static void refuse(int error) { give(SECCOMP_RET_ERRNO | (uint32_t)error); }
static void load(size_t offset) { add(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0); }

/* Offset of the low (or high) half of an argument; both supported machines are little-endian. */
static size_t low(int argument) { return offsetof(struct seccomp_data, args) + 8 * (size_t)argument; }
static size_t high(int argument) { return low(argument) + 4; }

static int ascending(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

/* Begins the judgement of one call; the accumulator holds its number. Returns what end_call needs. */
static unsigned short begin_call(int number) {
  add(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 0);
  return length - 1;
}

static void end_call(unsigned short start) { program[start].jf = (uint8_t)(length - start - 1); }

static void judge_calls(enum abi abi, uint32_t bit) {
  unsigned short start = begin_call((int)((uint32_t)clone_call[abi] | bit));
  load(low(0));
  add(BPF_ALU | BPF_AND | BPF_K, NAMESPACE_FLAGS, 0, 0);
  add(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1);
  allow();
  refuse(EPERM);
  end_call(start);

  start = begin_call((int)((uint32_t)clone3_call[abi] | bit));
  refuse(ENOSYS);
  end_call(start);

  start = begin_call((int)((uint32_t)personality_call[abi] | bit));
  if (abi == X86_64 || abi == AARCH64) {
    load(high(0));
    add(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
    refuse(EPERM);
  }
  load(low(0));
  for (size_t i = 0; i < sizeof personalities / sizeof *personalities; i++) {
    add(BPF_JMP | BPF_JEQ | BPF_K, personalities[i], 0, 1);
    allow();
  }
  refuse(EPERM);
  end_call(start);

  start = begin_call((int)((uint32_t)socket_call[abi] | bit));
  load(low(0));
  add(BPF_JMP | BPF_JEQ | BPF_K, AF_VSOCK_FAMILY, 0, 1);
  refuse(EPERM);
  allow();
  end_call(start);
}

/* The accumulator holds the number; every path of this returns. */
static void permit_ranges(enum abi abi, uint32_t bit) {
  int numbers[sizeof permitted / sizeof *permitted];
  size_t count = 0;
  for (size_t i = 0; i < sizeof permitted / sizeof *permitted; i++) {
    if (permitted[i][abi] >= 0) numbers[count++] = permitted[i][abi];
  }
  qsort(numbers, count, sizeof *numbers, ascending);
  for (size_t i = 0; i < count;) {
    size_t last = i;
    while (last + 1 < count && numbers[last + 1] <= numbers[last] + 1) last++;
    add(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)numbers[last] | bit, 3, 0);
    add(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)numbers[i] | bit, 0, 1);
    allow();
    refuse(EPERM);
    i = last + 1;
  }
  add(BPF_JMP | BPF_JGT | BPF_K, abi == X32 ? LAST_KNOWN_X32_CALL | bit : LAST_KNOWN_CALL, 0, 1);
  refuse(ENOSYS);
  refuse(EPERM);
}

static void build_abi(enum abi abi, uint32_t bit) {
  judge_calls(abi, bit);
  permit_ranges(abi, bit);
}

/* The body for one audit architecture: skipped (by a long jump) when the accumulator holds another. */
static void build_architecture(uint32_t architecture, enum abi abi, bool with_x32) {
  add(BPF_JMP | BPF_JEQ | BPF_K, architecture, 1, 0);
  unsigned short skip = length;
  add(BPF_JMP | BPF_JA, 0, 0, 0);
  load(offsetof(struct seccomp_data, nr));
  if (with_x32) {
    add(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 1, 0);
    unsigned short native = length;
    add(BPF_JMP | BPF_JA, 0, 0, 0);
    build_abi(X32, X32_BIT);
    program[native].k = (uint32_t)(length - native - 1);
  }
  build_abi(abi, 0);
  program[skip].k = (uint32_t)(length - skip - 1);
}

void install_seccomp(void) {
  length = 0;
  load(offsetof(struct seccomp_data, arch));
#if defined(__x86_64__)
  build_architecture(AUDIT_ARCH_X86_64, X86_64, true);
  build_architecture(AUDIT_ARCH_I386, I386, false);
#elif defined(__aarch64__)
  build_architecture(AUDIT_ARCH_AARCH64, AARCH64, false);
  build_architecture(AUDIT_ARCH_ARM, ARM, false);
#else
#error "no system call filter for this machine"
#endif
  give(SECCOMP_RET_KILL_PROCESS);
  struct sock_fprog filter = {length, program};
  /* Without no_new_privs this needs CAP_SYS_ADMIN, so it comes before capabilities are dropped; sudo keeps working. */
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    fail("host", 1, "cannot install the system call filter: %s%s", strerror(errno),
         errno == EINVAL ? " (the kernel needs CONFIG_SECCOMP_FILTER)" : "");
  }
}
