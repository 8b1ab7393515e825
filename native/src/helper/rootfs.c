/* The root file system of a step, put together on a scratch tmpfs of the supervisor's own mount namespace. */
#include "helper.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static int scratch = -1;
static unsigned scratch_names;

int new_tmpfs(const char *size, const char *mode, unsigned attributes) {
  int fs = sys_fsopen("tmpfs");
  if (fs < 0) fail("host", 1, "cannot make a tmpfs (fsopen): %s; Linux 5.12 or newer is needed", strerror(errno));
  sys_fsconfig_string(fs, "source", "tmpfs");
  if (mode != NULL) sys_fsconfig_string(fs, "mode", mode);
  if (size != NULL && sys_fsconfig_string(fs, "size", size) != 0) {
    fail("mount", 1, "bad tmpfs size %s: %s", size, strerror(errno));
  }
  int fd = sys_fsmount(fs, attributes);
  if (fd < 0) fail("host", 1, "cannot mount a tmpfs: %s", strerror(errno));
  return fd;
}

int scratch_fd(void) {
  if (scratch >= 0) return scratch;
  scratch = new_tmpfs(NULL, "0700", ATTR_NOSUID | ATTR_NODEV);
  /*
   * It is stacked on the root directory: that one exists everywhere, and lookups from this process's root still
   * see the directory below, so that host paths keep their meaning.
   */
  int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0 || sys_move_mount(scratch, root) != 0) {
    fail("host", 1, "cannot attach a scratch mount: %s", strerror(errno));
  }
  close(root);
  return scratch;
}

int scratch_directory(void) {
  char name[16];
  snprintf(name, sizeof name, "d%u", scratch_names++);
  if (mkdirat(scratch_fd(), name, 0755) != 0) fail("host", 1, "cannot make a scratch directory: %s", strerror(errno));
  int fd = openat(scratch, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) fail("host", 1, "cannot open a scratch directory: %s", strerror(errno));
  return fd;
}

/* The directory itself is hidden by what was just mounted on it: opened by name, the mount is found. */
static int open_last_scratch(void) {
  char name[16];
  snprintf(name, sizeof name, "d%u", scratch_names - 1);
  return openat(scratch, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int open_layer(const char *path) {
  int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) fail("host", 1, "cannot open layer %s: %s", path, strerror(errno));
  return fd;
}

/*
 * Layers are named by descriptor number, relative to /proc/self/fd: 500 of them (the kernel's limit) fit in the one
 * page that mount(2) takes, on every kernel, and the step does not learn host paths from /proc/mounts.
 */
int mount_overlay(const struct text_list *lower, const char *upper, const char *work, bool userns) {
  int *layer_fds = xmalloc((lower->count + 1) * sizeof *layer_fds);
  size_t layer_count = lower->count == 0 ? 1 : lower->count;
  char options[4096] = "lowerdir=";
  size_t used = strlen(options);
  for (size_t i = 0; i < layer_count; i++) {
    /* Scratch: overlayfs wants at least one lower directory. */
    layer_fds[i] = lower->count == 0 ? scratch_directory() : open_layer(lower->items[i]);
    used += (size_t)snprintf(options + used, sizeof options - used, i == 0 ? "%d" : ":%d", layer_fds[i]);
    if (used >= sizeof options - 128) fail("host", 1, "%zu layers are more than one mount can hold", lower->count);
  }
  int upper_fd = -1, work_fd = -1;
  if (upper != NULL) {
    upper_fd = open_layer(upper);
    work_fd = open_layer(work);
    used += (size_t)snprintf(options + used, sizeof options - used, ",upperdir=%d,workdir=%d", upper_fd, work_fd);
  }
  /* The layout that our layer writer reads: no redirects, no metadata-only copies (overlayfs.rst). */
  used += (size_t)snprintf(options + used, sizeof options - used, ",index=off,redirect_dir=nofollow,metacopy=off%s",
                           userns ? ",userxattr" : "");
  size_t without_volatile = used;
  /* The upper directory is thrown away if the machine stops, so its fsync calls may cost nothing (Linux 5.10). */
  if (upper != NULL) strcpy(options + used, ",volatile");

  int directory = scratch_directory();
  char target[32];
  snprintf(target, sizeof target, "/proc/self/fd/%d", directory);
  if (chdir("/proc/self/fd") != 0) fail("host", 1, "/proc is not mounted: %s", strerror(errno));
  int result = mount("overlay", target, "overlay", 0, options);
  if (result != 0 && errno == EINVAL && upper != NULL) {
    options[without_volatile] = '\0';
    result = mount("overlay", target, "overlay", 0, options);
  }
  if (result != 0) {
    fail("host", 1, "cannot mount %zu layers with overlayfs: %s%s", lower->count, strerror(errno),
         errno == ENODEV ? " (the kernel has no overlay file system)" : "");
  }
  if (chdir("/") != 0) fail("host", 1, "cannot go to /: %s", strerror(errno));
  close(directory);
  for (size_t i = 0; i < layer_count; i++) close(layer_fds[i]);
  free(layer_fds);
  if (upper_fd >= 0) close(upper_fd), close(work_fd);
  int root = open_last_scratch();
  if (root < 0) fail("host", 1, "cannot open the mounted layers: %s", strerror(errno));
  return root;
}

int mount_rootfs(const struct spec *spec) {
  if (spec->root_dir == NULL) return mount_overlay(&spec->lower, spec->upper, spec->work, spec->userns);
  int tree = sys_open_tree(AT_FDCWD, spec->root_dir, OPEN_TREE_CLONE);
  if (tree < 0) fail("host", 1, "cannot bind %s: %s", spec->root_dir, strerror(errno));
  int directory = scratch_directory();
  if (sys_move_mount(tree, directory) != 0) fail("host", 1, "cannot attach %s: %s", spec->root_dir, strerror(errno));
  close(directory);
  close(tree);
  int root = open_last_scratch();
  if (root < 0) fail("host", 1, "cannot open %s: %s", spec->root_dir, strerror(errno));
  return root;
}
