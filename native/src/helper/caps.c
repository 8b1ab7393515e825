/* Capability sets of the step's processes (capabilities(7)). */
#include "helper.h"

#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef PR_CAP_AMBIENT
#define PR_CAP_AMBIENT 47
#define PR_CAP_AMBIENT_CLEAR_ALL 4
#endif

/* What docker gives a container: a80425fb. */
static const int defaults[] = {
    CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FSETID,  CAP_FOWNER,           CAP_MKNOD,      CAP_NET_RAW, CAP_SETGID,
    CAP_SETUID, CAP_SETFCAP,      CAP_SETPCAP, CAP_NET_BIND_SERVICE, CAP_SYS_CHROOT, CAP_KILL,    CAP_AUDIT_WRITE,
};

static void capset_or_fail(uint64_t permitted, uint64_t effective) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {
      {.effective = (uint32_t)effective, .permitted = (uint32_t)permitted},
      {.effective = (uint32_t)(effective >> 32), .permitted = (uint32_t)(permitted >> 32)},
  };
  if (syscall(SYS_capset, &header, data) != 0) fail("host", 1, "cannot set capabilities: %s", strerror(errno));
}

static uint64_t permitted_now(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  if (syscall(SYS_capget, &header, data) != 0) return 0;
  return data[0].permitted | (uint64_t)data[1].permitted << 32;
}

bool have_capability(int capability) { return permitted_now() >> capability & 1; }

uint64_t step_capabilities(bool insecure) {
  uint64_t set = 0;
  for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++) set |= 1ull << defaults[i];
  return permitted_now() & (insecure ? ~0ull : set);
}

void limit_bounding_set(uint64_t keep) {
  for (int capability = 0; capability < 64; capability++) {
    if (keep >> capability & 1) continue;
    /* EINVAL: beyond the kernel's last capability. */
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0 && errno != EINVAL) {
      fail("host", 1, "cannot drop capability %d: %s", capability, strerror(errno));
    }
  }
}

void set_capabilities(uint64_t effective) {
  capset_or_fail(effective, effective);
  /* Nothing is inherited into programs of other users (CVE-2022-27651). */
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

void drop_all_but_kill(void) { capset_or_fail(1ull << CAP_KILL, 1ull << CAP_KILL); }
