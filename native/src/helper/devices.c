/* /dev of a step: a tmpfs with the devices that every program may use. */
#include "helper.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const struct {
  const char *name;
  unsigned major, minor;
} nodes[] = {{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};

static const struct {
  const char *name, *target;
} links[] = {
    {"ptmx", "pts/ptmx"},           {"fd", "/proc/self/fd"},          {"stdin", "/proc/self/fd/0"},
    {"stdout", "/proc/self/fd/1"}, {"stderr", "/proc/self/fd/2"},
};

/* A user namespace may not make nodes, but may show the host's. */
static bool bind_node(int dev_fd, const char *name, const char *host_path) {
  int tree = sys_open_tree(AT_FDCWD, host_path, OPEN_TREE_CLONE);
  if (tree < 0) return false;
  int file = openat(dev_fd, name, O_CREAT | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0666);
  bool done = file >= 0 && sys_move_mount(tree, file) == 0;
  int saved = errno;
  if (file >= 0) close(file);
  close(tree);
  errno = saved;
  return done;
}

static void make_node(int dev_fd, size_t index) {
  const char *name = nodes[index].name;
  dev_t device = makedev(nodes[index].major, nodes[index].minor);
  char host_path[64];
  snprintf(host_path, sizeof host_path, "/dev/%s", name);
  struct stat status;
  if (mknodat(dev_fd, name, S_IFCHR | 0666, device) == 0) return;
  /* A host whose /dev holds something else under the name must not lend it. */
  if (stat(host_path, &status) != 0 || !S_ISCHR(status.st_mode) || status.st_rdev != device ||
      !bind_node(dev_fd, name, host_path)) {
    fail("host", 1, "cannot provide /dev/%s: %s", name, strerror(errno));
  }
}

static void mount_in_dev(int dev_fd, const char *name, int mount_fd) {
  mkdirat(dev_fd, name, 0755);
  int target = openat(dev_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  attach(mount_fd, target, name);
  close(mount_fd);
}

static int new_devpts(bool single_id) {
  int fs = sys_fsopen("devpts");
  if (fs < 0) fail("host", 1, "cannot make a devpts: %s", strerror(errno));
  sys_fsconfig_string(fs, "source", "devpts");
  sys_fsconfig_flag(fs, "newinstance");
  sys_fsconfig_string(fs, "ptmxmode", "0666");
  sys_fsconfig_string(fs, "mode", "0620");
  /* Group 5 is "tty" everywhere; with one mapped id there is no such group. */
  if (!single_id) sys_fsconfig_string(fs, "gid", "5");
  int fd = sys_fsmount(fs, ATTR_NOSUID | ATTR_NOEXEC);
  if (fd < 0) fail("host", 1, "cannot mount a devpts: %s", strerror(errno));
  return fd;
}

static int new_shm(uint64_t size) {
  int fs = sys_fsopen("tmpfs");
  char text[32];
  snprintf(text, sizeof text, "%llu", (unsigned long long)size);
  sys_fsconfig_string(fs, "source", "shm");
  sys_fsconfig_string(fs, "mode", "1777");
  sys_fsconfig_string(fs, "size", text);
  int fd = sys_fsmount(fs, ATTR_NOSUID | ATTR_NODEV | ATTR_NOEXEC);
  if (fd < 0) fail("host", 1, "cannot mount /dev/shm: %s", strerror(errno));
  return fd;
}

static void mount_mqueue(int dev_fd) {
  int fs = sys_fsopen("mqueue");
  /* Kernels without POSIX queues have none to show. */
  if (fs < 0) return;
  sys_fsconfig_string(fs, "source", "mqueue");
  int fd = sys_fsmount(fs, ATTR_NOSUID | ATTR_NODEV | ATTR_NOEXEC);
  if (fd >= 0) mount_in_dev(dev_fd, "mqueue", fd);
}

/* What an insecure step gets in addition: loop devices, fuse, kvm, tun, those that the host has. */
static void add_insecure_devices(int dev_fd) {
  DIR *directory = opendir("/dev");
  if (directory == NULL) return;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    const char *name = entry->d_name;
    bool wanted = strncmp(name, "loop", 4) == 0 || strcmp(name, "fuse") == 0 || strcmp(name, "kvm") == 0;
    char host_path[300];
    snprintf(host_path, sizeof host_path, "/dev/%s", name);
    struct stat status;
    if (!wanted || stat(host_path, &status) != 0) continue;
    if (!S_ISCHR(status.st_mode) && !S_ISBLK(status.st_mode)) continue;
    if (mknodat(dev_fd, name, status.st_mode, status.st_rdev) != 0) bind_node(dev_fd, name, host_path);
  }
  closedir(directory);
}

static void add_asked_devices(const struct spec *spec, int dev_fd) {
  for (size_t i = 0; i < spec->devices.count; i++) {
    const char *path = spec->devices.items[i];
    const char *name = strrchr(path, '/');
    if (name == NULL || !bind_node(dev_fd, name + 1, path)) {
      fail("mount", 1, "cannot provide device %s: %s", path, strerror(errno));
    }
  }
}

void make_devices(const struct spec *spec, int root_fd) {
  int mount_fd = new_tmpfs("65536k", "0755", ATTR_NOSUID);
  attach(mount_fd, make_system_directory(root_fd, "/dev"), "/dev");
  for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) make_node(mount_fd, i);
  for (size_t i = 0; i < sizeof links / sizeof *links; i++) symlinkat(links[i].target, mount_fd, links[i].name);
  if (spec->insecure) add_insecure_devices(mount_fd);
  add_asked_devices(spec, mount_fd);
  mount_in_dev(mount_fd, "pts", new_devpts(spec->single_id));
  if (spec->shm_size > 0) mount_in_dev(mount_fd, "shm", new_shm(spec->shm_size));
  mount_mqueue(mount_fd);
  close(mount_fd);
}
