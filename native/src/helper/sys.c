/* System calls that the C library may not wrap yet; numbers of calls after 424 are the same on every machine. */
#include "helper.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
  NR_OPEN_TREE = 428,
  NR_MOVE_MOUNT = 429,
  NR_FSOPEN = 430,
  NR_FSCONFIG = 431,
  NR_FSMOUNT = 432,
  NR_CLOSE_RANGE = 436,
  NR_OPENAT2 = 437,
  NR_MOUNT_SETATTR = 442,
};

int sys_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
  struct {
    uint64_t flags, mode, resolve;
  } how = {flags | O_CLOEXEC, mode, resolve};
  for (;;) {
    int fd = (int)syscall(NR_OPENAT2, dirfd, path, &how, sizeof how);
    /* EAGAIN: a rename somewhere raced with a `..`; openat2(2) asks to try again. */
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) return fd;
  }
}

int sys_open_tree(int dirfd, const char *path, unsigned flags) {
  return (int)syscall(NR_OPEN_TREE, dirfd, path, flags | O_CLOEXEC);
}

int sys_move_mount(int from_fd, int to_fd) {
  /* MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH */
  return (int)syscall(NR_MOVE_MOUNT, from_fd, "", to_fd, "", 0x44);
}

int sys_fsopen(const char *type) { return (int)syscall(NR_FSOPEN, type, 1 /* FSOPEN_CLOEXEC */); }

int sys_fsconfig_string(int fs_fd, const char *key, const char *value) {
  return (int)syscall(NR_FSCONFIG, fs_fd, 1 /* FSCONFIG_SET_STRING */, key, value, 0);
}

int sys_fsconfig_flag(int fs_fd, const char *key) {
  return (int)syscall(NR_FSCONFIG, fs_fd, 0 /* FSCONFIG_SET_FLAG */, key, NULL, 0);
}

int sys_fsmount(int fs_fd, unsigned attributes) {
  int mount_fd = -1;
  if (syscall(NR_FSCONFIG, fs_fd, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0) == 0) {
    mount_fd = (int)syscall(NR_FSMOUNT, fs_fd, 1 /* FSMOUNT_CLOEXEC */, attributes);
  }
  int saved = errno;
  close(fs_fd);
  errno = saved;
  return mount_fd;
}

int sys_mount_setattr(int fd, bool recursive, uint64_t set) {
  struct {
    uint64_t set, clear, propagation, userns_fd;
  } attributes = {.set = set};
  return (int)syscall(NR_MOUNT_SETATTR, fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attributes,
                      sizeof attributes);
}

int sys_pivot_root(const char *new_root, const char *put_old) {
  return (int)syscall(SYS_pivot_root, new_root, put_old);
}

int sys_close_range(unsigned first, unsigned last, unsigned flags) {
  return (int)syscall(NR_CLOSE_RANGE, first, last, flags);
}

uint64_t mount_id_of(int fd) {
  /* struct statx ends beyond stx_mnt_id in all headers since 5.8; older ones call its place spare. */
  struct {
    struct statx known;
    char more[256];
  } data;
  memset(&data, 0, sizeof data);
  if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, 0x1000 /* STATX_MNT_ID */, &data) != 0) return 0;
  uint64_t id;
  memcpy(&id, (char *)&data + 0x90, sizeof id);
  return id;
}
