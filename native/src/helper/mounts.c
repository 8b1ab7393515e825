/* The mounts that a step asks for: each source becomes a detached mount, then it is moved to its target. */
#include "helper.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void note_type(struct mount_spec *mount) {
  struct stat status;
  if (fstat(mount->mount_fd, &status) != 0) {
    fail("mount", 1, "cannot look at the source of mount %s: %s", mount->target, strerror(errno));
  }
  mount->is_directory = S_ISDIR(status.st_mode);
}

/* A detached copy of what `subpath` names below base_fd; links stay inside it. */
static int clone_subpath(const struct mount_spec *mount, int base_fd) {
  int fd = base_fd;
  if (mount->subpath != NULL && mount->subpath[0] != '\0') {
    fd = open_in_root(base_fd, mount->subpath, 0);
    if (fd < 0) {
      fail("mount", 1, "source %s of mount %s: %s", mount->subpath, mount->target,
           errno == ENOENT ? "not found" : strerror(errno));
    }
  }
  int tree = sys_open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | (mount->recursive ? AT_RECURSIVE : 0));
  if (tree < 0) fail("mount", 1, "cannot bind the source of mount %s: %s", mount->target, strerror(errno));
  if (fd != base_fd) close(fd);
  return tree;
}

static void make_readonly(const struct mount_spec *mount, uint64_t more) {
  if (sys_mount_setattr(mount->mount_fd, mount->recursive, ATTR_RDONLY | more) != 0) {
    fail("host", 1, "cannot make mount %s read-only: %s", mount->target, strerror(errno));
  }
}

void clone_sources(struct spec *spec) {
  for (size_t i = 0; i < spec->mount_count; i++) {
    struct mount_spec *mount = &spec->mounts[i];
    if (mount->type != MOUNT_BIND) continue;
    int fd = mount->source_fd;
    if (fd < 0) {
      fd = open(mount->source, O_PATH | O_CLOEXEC);
      if (fd < 0) fail("mount", 1, "source %s of mount %s: %s", mount->source, mount->target, strerror(errno));
    }
    mount->mount_fd = clone_subpath(mount, fd);
    close(fd);
    if (mount->readonly) make_readonly(mount, 0);
    note_type(mount);
  }
}

static void prepare_overlay(const struct spec *spec, struct mount_spec *mount) {
  int base;
  if (mount->lower.count == 1 && mount->upper == NULL) {
    base = open(mount->lower.items[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (base < 0) fail("host", 1, "cannot open layer %s: %s", mount->lower.items[0], strerror(errno));
  } else {
    base = mount_overlay(&mount->lower, mount->upper, mount->work, spec->userns);
  }
  mount->mount_fd = clone_subpath(mount, base);
  close(base);
  if (mount->readonly) make_readonly(mount, 0);
}

static void prepare_tmpfs(struct mount_spec *mount) {
  char size[32];
  snprintf(size, sizeof size, "%llu", (unsigned long long)mount->size);
  mount->mount_fd =
      new_tmpfs(mount->size > 0 ? size : NULL, "1777", ATTR_NOSUID | (mount->readonly ? ATTR_RDONLY : 0));
}

/* Content that must never touch a disk lives on the scratch tmpfs, which goes with this process. */
static void prepare_file(struct mount_spec *mount, size_t index) {
  char name[32];
  snprintf(name, sizeof name, "f%zu", index);
  int fd = openat(scratch_fd(), name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0 || !write_all(fd, mount->data, mount->data_length)) {
    fail("host", 1, "cannot write the content of %s: %s", mount->target, strerror(errno));
  }
  if (fchown(fd, mount->uid, mount->gid) != 0) {
    fail("mount", 1, "cannot give %s to %u:%u: %s", mount->target, mount->uid, mount->gid, strerror(errno));
  }
  fchmod(fd, mount->mode);
  close(fd);
  mount->mount_fd = sys_open_tree(scratch_fd(), name, OPEN_TREE_CLONE);
  if (mount->mount_fd < 0) fail("host", 1, "cannot clone the mount of %s: %s", mount->target, strerror(errno));
  make_readonly(mount, ATTR_NOSUID | ATTR_NODEV | (mount->executable ? 0 : ATTR_NOEXEC));
}

void prepare_sources(struct spec *spec) {
  for (size_t i = 0; i < spec->mount_count; i++) {
    struct mount_spec *mount = &spec->mounts[i];
    if (mount->type == MOUNT_OVERLAY) prepare_overlay(spec, mount);
    else if (mount->type == MOUNT_TMPFS) prepare_tmpfs(mount);
    else if (mount->type == MOUNT_FILE) prepare_file(mount, i);
    note_type(mount);
  }
}

void attach(int mount_fd, int target_fd, const char *target) {
  if (target_fd < 0) fail("mount", 1, "cannot make mount target %s: %s", target, strerror(errno));
  if (sys_move_mount(mount_fd, target_fd) != 0) fail("mount", 1, "cannot mount on %s: %s", target, strerror(errno));
  close(target_fd);
}

bool is_below(const char *path, const char *folder) {
  size_t length = strlen(folder);
  return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

void attach_mounts(struct spec *spec, int root_fd) {
  for (size_t i = 0; i < spec->mount_count; i++) {
    struct mount_spec *mount = &spec->mounts[i];
    if (mount->target[strspn(mount->target, "/")] == '\0') fail("mount", 1, "invalid mount target \"/\"");
    /* /proc is mounted later, by pid 1, over anything put there now. */
    if (is_below(mount->target, "/proc")) fail("mount", 1, "a mount on %s is not allowed", mount->target);
    int target_fd = make_target(root_fd, mount->target, mount->is_directory);
    attach(mount->mount_fd, target_fd, mount->target);
    close(mount->mount_fd);
  }
}
