/* /sys and /proc of a step, with the paths that docker hides or makes read-only. */
#include "helper.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { SYSTEM_ATTRIBUTES = ATTR_NOSUID | ATTR_NODEV | ATTR_NOEXEC };
enum { CGROUP2_MAGIC = 0x63677270 };

static const char *const masked_sys[] = {"/sys/firmware", "/sys/devices/virtual/powercap"};
static const char *const masked_proc[] = {"acpi",       "asound",      "kcore",       "keys", "latency_stats",
                                          "timer_list", "timer_stats", "sched_debug", "scsi"};
static const char *const readonly_proc[] = {"bus", "fs", "irq", "sys", "sysrq-trigger"};

/* Hides a directory under an empty read-only one, a file under /dev/null. */
static void mask(int fd, int null_fd, const char *name) {
  struct stat status;
  if (fstat(fd, &status) != 0) fail("host", 1, "cannot look at %s: %s", name, strerror(errno));
  int cover;
  if (S_ISDIR(status.st_mode)) {
    int fs = sys_fsopen("tmpfs");
    sys_fsconfig_string(fs, "source", "tmpfs");
    sys_fsconfig_string(fs, "size", "4k");
    sys_fsconfig_string(fs, "nr_inodes", "1");
    cover = sys_fsmount(fs, ATTR_RDONLY);
  } else {
    cover = sys_open_tree(null_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
  }
  if (cover < 0 || sys_move_mount(cover, fd) != 0) fail("host", 1, "cannot mask %s: %s", name, strerror(errno));
  close(cover);
}

/* One folder per version 1 hierarchy, of which a fresh mount shows only this cgroup namespace's part. */
static void mount_cgroup1(const struct spec *spec, int target) {
  int base = new_tmpfs(NULL, "0755", SYSTEM_ATTRIBUTES);
  attach(base, target, "/sys/fs/cgroup");
  char text[8192], *next = text;
  if (!read_file("/proc/self/cgroup", text, sizeof text)) return;
  for (char *line; (line = strsep(&next, "\n")) != NULL;) {
    strsep(&line, ":");
    char *controllers = line == NULL ? NULL : strsep(&line, ":");
    if (controllers == NULL || *controllers == '\0') continue;
    int fs = sys_fsopen("cgroup");
    if (fs < 0) continue;
    sys_fsconfig_string(fs, "source", "cgroup");
    char options[256];
    snprintf(options, sizeof options, "%s", controllers);
    const char *name = controllers;
    if (strncmp(controllers, "name=", 5) == 0) {
      name = controllers + 5;
      sys_fsconfig_flag(fs, "none");
      sys_fsconfig_string(fs, "name", name);
    } else {
      char *rest = options;
      for (char *option; (option = strsep(&rest, ",")) != NULL;) sys_fsconfig_flag(fs, option);
    }
    int mount_fd = sys_fsmount(fs, SYSTEM_ATTRIBUTES | (spec->insecure ? 0 : ATTR_RDONLY));
    if (mount_fd < 0) continue;
    mkdirat(base, name, 0755);
    int place = openat(base, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (place >= 0) sys_move_mount(mount_fd, place), close(place);
    close(mount_fd);
  }
  close(base);
}

static void mount_cgroups(const struct spec *spec, int root_fd) {
  struct statfs status;
  int target = open_in_root(root_fd, "/sys/fs/cgroup", O_DIRECTORY);
  if (target < 0) return;
  if (statfs("/sys/fs/cgroup", &status) != 0 || (long)status.f_type != CGROUP2_MAGIC) {
    mount_cgroup1(spec, target);
    return;
  }
  int fs = sys_fsopen("cgroup2");
  sys_fsconfig_string(fs, "source", "cgroup");
  int mount_fd = fs < 0 ? -1 : sys_fsmount(fs, SYSTEM_ATTRIBUTES | (spec->insecure ? 0 : ATTR_RDONLY));
  if (mount_fd >= 0) {
    sys_move_mount(mount_fd, target);
    close(mount_fd);
  }
  close(target);
}

/* The host's /sys with all below it; a user namespace that does not own the network namespace gets no other. */
static int clone_host_sys(void) {
  int tree = sys_open_tree(AT_FDCWD, "/sys", OPEN_TREE_CLONE | AT_RECURSIVE);
  if (tree < 0) fail("host", 1, "cannot bind /sys: %s", strerror(errno));
  if (sys_mount_setattr(tree, true, SYSTEM_ATTRIBUTES | ATTR_RDONLY) != 0) {
    fail("host", 1, "cannot make /sys read-only: %s", strerror(errno));
  }
  return tree;
}

void mount_sysfs(const struct spec *spec, int root_fd) {
  int fs = sys_fsopen("sysfs");
  if (fs >= 0) sys_fsconfig_string(fs, "source", "sysfs");
  int mount_fd = fs < 0 ? -1 : sys_fsmount(fs, SYSTEM_ATTRIBUTES | (spec->insecure ? 0 : ATTR_RDONLY));
  bool fresh = mount_fd >= 0;
  if (!fresh) mount_fd = clone_host_sys();
  attach(mount_fd, make_system_directory(root_fd, "/sys"), "/sys");
  close(mount_fd);
  if (fresh) mount_cgroups(spec, root_fd);
  if (spec->insecure) return;
  for (size_t i = 0; i < sizeof masked_sys / sizeof *masked_sys; i++) {
    int fd = open_in_root(root_fd, masked_sys[i], 0);
    if (fd < 0) continue;
    mask(fd, -1, masked_sys[i]);
    close(fd);
  }
}

static int open_null(int root_fd) {
  int fd = open_in_root(root_fd, "/dev/null", O_NOFOLLOW);
  struct stat status;
  /* Masking a file with anything but the real null device would hand the step a way in. */
  if (fd < 0 || fstat(fd, &status) != 0 || !S_ISCHR(status.st_mode) || status.st_rdev != makedev(1, 3)) {
    fail("mount", 1, "/dev/null of the step is not the null device");
  }
  return fd;
}

static int open_in_proc(int proc_fd, const char *name) {
  return sys_openat2(proc_fd, name, O_PATH | O_NOFOLLOW, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
}

void mount_procfs(const struct spec *spec, int root_fd) {
  int fs = sys_fsopen("proc");
  if (fs >= 0) sys_fsconfig_string(fs, "source", "proc");
  int proc_fd = fs < 0 ? -1 : sys_fsmount(fs, SYSTEM_ATTRIBUTES);
  if (proc_fd < 0) {
    fail("host", 1, "cannot mount /proc: %s%s", strerror(errno),
         errno == EPERM ? " (this machine hides parts of its own /proc; inside a container, run that container with "
                          "an unmasked /proc: docker run --security-opt systempaths=unconfined)"
                        : "");
  }
  attach(proc_fd, open_in_root(root_fd, "/proc", O_DIRECTORY), "/proc");
  if (spec->insecure) {
    close(proc_fd);
    return;
  }
  int null_fd = open_null(root_fd);
  for (size_t i = 0; i < sizeof readonly_proc / sizeof *readonly_proc; i++) {
    int fd = open_in_proc(proc_fd, readonly_proc[i]);
    if (fd < 0) continue;
    int tree = sys_open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
    if (tree < 0 || sys_mount_setattr(tree, false, SYSTEM_ATTRIBUTES | ATTR_RDONLY) != 0 ||
        sys_move_mount(tree, fd) != 0) {
      fail("host", 1, "cannot make /proc/%s read-only: %s", readonly_proc[i], strerror(errno));
    }
    close(tree);
    close(fd);
  }
  for (size_t i = 0; i < sizeof masked_proc / sizeof *masked_proc; i++) {
    int fd = open_in_proc(proc_fd, masked_proc[i]);
    if (fd < 0) continue;
    mask(fd, null_fd, masked_proc[i]);
    close(fd);
  }
  close(null_fd);
  close(proc_fd);
}
