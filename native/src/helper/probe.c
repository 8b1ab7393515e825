/*
 * tsbuild-helper probe: what this host lets this user do, as key=value lines for `tsbuild doctor`. Everything that
 * could fail is tried in a child process, so that one refusal says nothing about the next.
 */
#include "helper.h"
#include "host.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs a test in a child: 0 works, else the errno it met. */
static int try(int (*test)(void)) {
  pid_t pid = fork();
  if (pid == 0) _exit(test());
  int status = 0;
  if (pid < 0) return errno;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static void say(const char *key, int error) {
  printf("%s=%s\n", key, error == 0 ? "yes" : strerror(error));
}

static int make_userns(void) {
  uid_t uid = getuid();
  gid_t gid = getgid();
  char text[32];
  if (unshare(CLONE_NEWUSER) != 0) return errno;
  snprintf(text, sizeof text, "0 %u 1\n", uid);
  if (!write_file("/proc/self/uid_map", text)) return errno;
  write_file("/proc/self/setgroups", "deny");
  snprintf(text, sizeof text, "0 %u 1\n", gid);
  return write_file("/proc/self/gid_map", text) ? 0 : errno;
}

static int private_mounts(void) {
  if (unshare(CLONE_NEWNS) != 0) return errno;
  return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 ? 0 : errno;
}

static int userns_mounts(void) {
  int error = make_userns();
  return error != 0 ? error : private_mounts();
}

/* Mounts a two-layer overlay on a tmpfs and removes a lower file through it, which needs whiteouts to work. */
static int overlay_here(bool userxattr) {
  if (mount("tmpfs", "/tmp", "tmpfs", 0, NULL) != 0 || chdir("/tmp") != 0) return errno;
  const char *const folders[] = {"lower", "lower/d", "upper", "work", "merged"};
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
    if (mkdir(folders[i], 0755) != 0) return errno;
  }
  char options[128];
  snprintf(options, sizeof options, "lowerdir=lower,upperdir=upper,workdir=work%s", userxattr ? ",userxattr" : "");
  if (mount("overlay", "merged", "overlay", 0, options) != 0) return errno;
  return rmdir("merged/d") == 0 && mkdir("merged/d", 0755) == 0 ? 0 : errno;
}

static int overlay(void) {
  int error = private_mounts();
  return error != 0 ? error : overlay_here(false);
}

static int overlay_in_userns(void) {
  int error = userns_mounts();
  return error != 0 ? error : overlay_here(true);
}

static int seccomp(void) {
  /* PR_GET_SECCOMP answers EINVAL where the kernel has none. */
  return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0 ? errno : 0;
}

static int fuse_device(void) {
  int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  return fd < 0 ? errno : 0;
}

static void say_tool(const char *name) {
  char path[256];
  printf("tool.%s=%s\n", name, find_tool(name, path, sizeof path) ? path : "missing");
}

static void say_cgroups(void) {
  struct statfs status;
  char text[4096];
  if (statfs("/sys/fs/cgroup", &status) == 0 && (long)status.f_type == 0x63677270 /* CGROUP2_SUPER_MAGIC */) {
    bool read = read_file("/sys/fs/cgroup/cgroup.controllers", text, sizeof text);
    text[strcspn(text, "\n")] = '\0';
    printf("cgroup.version=2\ncgroup.controllers=%s\n", read ? text : "");
    printf("cgroup.writable=%s\n", access("/sys/fs/cgroup/cgroup.procs", W_OK) == 0 ? "yes" : "no");
    return;
  }
  /* Columns: name, hierarchy, number of cgroups, enabled. */
  if (!read_file("/proc/cgroups", text, sizeof text)) {
    printf("cgroup.version=none\ncgroup.controllers=\ncgroup.writable=no\n");
    return;
  }
  char *next = text;
  const char *separator = "";
  printf("cgroup.version=1\ncgroup.controllers=");
  for (char *line; (line = strsep(&next, "\n")) != NULL;) {
    char name[64];
    unsigned hierarchy, groups, enabled;
    if (sscanf(line, "%63s %u %u %u", name, &hierarchy, &groups, &enabled) != 4 || enabled == 0) continue;
    printf("%s%s", separator, name);
    separator = " ";
  }
  printf("\ncgroup.writable=%s\n", access("/sys/fs/cgroup/memory/cgroup.procs", W_OK) == 0 ? "yes" : "no");
}

static void say_sysctl(const char *key, const char *path) {
  char text[64] = "";
  bool read = read_file(path, text, sizeof text);
  text[strcspn(text, "\n")] = '\0';
  printf("sysctl.%s=%s\n", key, read ? text : "absent");
}

int probe_main(void) {
  struct utsname name;
  uname(&name);
  printf("kernel=%s\nmachine=%s\nuid=%u\n", name.release, name.machine, getuid());
  printf("cap_sys_admin=%s\n", have_capability(CAP_SYS_ADMIN) ? "yes" : "no");
  struct id_map map;
  read_id_map("/proc/self/uid_map", &map);
  printf("in_userns=%s\n", map.identity ? "no" : "yes");

  struct subordinate_ids ids;
  find_subordinate_ids(&ids);
  printf("newuidmap=%s\nnewgidmap=%s\n", ids.newuidmap[0] ? ids.newuidmap : "missing",
         ids.newgidmap[0] ? ids.newgidmap : "missing");
  printf("subuid.count=%llu\nsubgid.count=%llu\n", (unsigned long long)ids.uids.total,
         (unsigned long long)ids.gids.total);
  if (ids.missing != NULL && getuid() != 0) printf("subids.hint=%s. %s\n", ids.missing, ids.hint);

  fflush(stdout);
  int userns = try(userns_mounts);
  say("userns", userns);
  if (userns != 0) {
    char hint[1024];
    snprintf(hint, sizeof hint, "%s", userns_hint());
    for (char *at = hint; (at = strchr(at, '\n')) != NULL;) *at = ' ';
    printf("userns.hint=%s\n", hint);
  }
  fflush(stdout);
  say("overlay", try(overlay));
  fflush(stdout);
  say("overlay.userns", try(overlay_in_userns));
  fflush(stdout);
  say("seccomp", try(seccomp));
  fflush(stdout);
  say("fuse", try(fuse_device));
  say_cgroups();
  say_sysctl("unprivileged_userns_clone", "/proc/sys/kernel/unprivileged_userns_clone");
  say_sysctl("apparmor_restrict_unprivileged_userns", "/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
  say_sysctl("max_user_namespaces", "/proc/sys/user/max_user_namespaces");
  say_tool("fuse-overlayfs");
  say_tool("slirp4netns");
  say_tool("pasta");
  return 0;
}
