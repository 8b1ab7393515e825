/*
 * Places to mount on, inside a root that an image controls. Every lookup is openat2(RESOLVE_IN_ROOT) from the
 * root's descriptor; directories are made one name at a time below an open parent. What was made only to carry a
 * mount is remembered by descriptor, so that removing it later cannot be led elsewhere.
 */
#include "helper.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A directory of the root file system that got a new name from us, and its times before and after. */
struct parent {
  int fd;
  dev_t device;
  ino_t inode;
  struct timespec accessed, modified, modified_by_us;
};

struct stub {
  size_t parent;
  char *name;
  /* O_PATH descriptor of the thing itself. */
  int fd;
};

static struct parent *parents;
static size_t parent_count;
static struct stub *stubs;
static size_t stub_count;

int open_in_root(int root_fd, const char *path, uint64_t flags) {
  return sys_openat2(root_fd, path, O_PATH | flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

static struct timespec modified_time(int fd) {
  struct stat status;
  if (fstat(fd, &status) != 0) return (struct timespec){0, 0};
  return status.st_mtim;
}

static size_t remember_parent(int fd) {
  struct stat status;
  fstat(fd, &status);
  for (size_t i = 0; i < parent_count; i++) {
    if (parents[i].device == status.st_dev && parents[i].inode == status.st_ino) {
      close(fd);
      return i;
    }
  }
  parents = xrealloc(parents, (parent_count + 1) * sizeof *parents);
  parents[parent_count] =
      (struct parent){fd, status.st_dev, status.st_ino, status.st_atim, status.st_mtim, status.st_mtim};
  return parent_count++;
}

/* Makes `name` below an open directory. Returns an O_PATH descriptor of it. */
static int make_entry(int parent_fd, const char *name, bool directory) {
  if (directory) {
    if (mkdirat(parent_fd, name, 0755) != 0 && errno != EEXIST) return -1;
  } else {
    int fd = openat(parent_fd, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0755);
    if (fd < 0 && errno != EEXIST) return -1;
    if (fd >= 0) close(fd);
  }
  return openat(parent_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC | (directory ? O_DIRECTORY : 0));
}

static int make_stub(int root_fd, int parent_path_fd, const char *name, bool directory) {
  int parent_fd = openat(parent_path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (parent_fd < 0) return -1;
  /* A folder of a cache mount is shared with other steps: what we make there stays, as docker leaves it. */
  bool ours = mount_id_of(parent_fd) == mount_id_of(root_fd);
  size_t parent = ours ? remember_parent(parent_fd) : 0;
  int made = make_entry(ours ? parents[parent].fd : parent_fd, name, directory);
  if (!ours) {
    close(parent_fd);
    return made;
  }
  if (made < 0) return -1;
  parents[parent].modified_by_us = modified_time(parents[parent].fd);
  stubs = xrealloc(stubs, (stub_count + 1) * sizeof *stubs);
  stubs[stub_count++] = (struct stub){parent, strdup(name), dup(made)};
  fcntl(stubs[stub_count - 1].fd, F_SETFD, FD_CLOEXEC);
  return made;
}

typedef int (*make_function)(int root_fd, int parent_fd, const char *name, bool directory, void *context);

/*
 * Opens path, making each missing part with `make`. A link that leads nowhere is followed in the root, and the
 * place it names is made.
 */
static int open_making(int root_fd, const char *path, bool directory, make_function make, void *context) {
  char rest[PATH_MAX];
  if (strlen(path) >= sizeof rest) return errno = ENAMETOOLONG, -1;
  strcpy(rest, path);
  for (int links = 0; links < 40; links++) {
    int fd = open_in_root(root_fd, rest, 0);
    if (fd >= 0 || errno != ENOENT) return fd;
    /* Find the first part that is missing. */
    char prefix[PATH_MAX] = "";
    size_t used = 0;
    int parent_fd = open_in_root(root_fd, "/", O_DIRECTORY);
    char *next = rest;
    for (;;) {
      while (*next == '/') next++;
      size_t length = strcspn(next, "/");
      if (length == 0) return parent_fd;
      char name[NAME_MAX + 1];
      if (length > NAME_MAX) {
        close(parent_fd);
        return errno = ENAMETOOLONG, -1;
      }
      memcpy(name, next, length);
      name[length] = '\0';
      bool last = next[length + strspn(next + length, "/")] == '\0';
      prefix[used] = '/';
      memcpy(prefix + used + 1, name, length + 1);
      int child = open_in_root(root_fd, prefix, last && !directory ? 0 : O_DIRECTORY);
      if (child < 0 && errno != ENOENT) {
        int saved = errno;
        close(parent_fd);
        return errno = saved, -1;
      }
      if (child < 0) {
        char target[PATH_MAX];
        ssize_t target_length = readlinkat(parent_fd, name, target, sizeof target - 1);
        if (target_length > 0) {
          target[target_length] = '\0';
          prefix[used] = '\0';
          char changed[3 * PATH_MAX];
          int size = snprintf(changed, sizeof changed, "%s/%s%s", target[0] == '/' ? "" : prefix, target, next + length);
          close(parent_fd);
          if (size < 0 || (size_t)size >= sizeof rest) return errno = ENAMETOOLONG, -1;
          strcpy(rest, changed);
          break;
        }
        child = make(root_fd, parent_fd, name, directory || !last, context);
        if (child < 0) {
          int saved = errno;
          close(parent_fd);
          return errno = saved, -1;
        }
      }
      close(parent_fd);
      parent_fd = child;
      used += 1 + length;
      next += length;
    }
  }
  return errno = ELOOP, -1;
}

static int make_stub_at(int root_fd, int parent_fd, const char *name, bool directory, void *context) {
  (void)context;
  return make_stub(root_fd, parent_fd, name, directory);
}

int make_target(int root_fd, const char *path, bool directory) {
  int fd = open_making(root_fd, path, directory, make_stub_at, NULL);
  if (fd < 0) return -1;
  struct stat status;
  if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode) != directory) {
    close(fd);
    return errno = directory ? ENOTDIR : EISDIR, -1;
  }
  return fd;
}

struct owner {
  uid_t uid;
  gid_t gid;
};

static int make_owned(int root_fd, int parent_fd, const char *name, bool directory, void *context) {
  (void)root_fd;
  const struct owner *owner = context;
  int fd = make_entry(parent_fd, name, directory);
  if (fd >= 0 && fchownat(fd, "", owner->uid, owner->gid, AT_EMPTY_PATH) != 0) {
    int saved = errno;
    close(fd);
    return errno = saved, -1;
  }
  return fd;
}

void make_directories(int root_fd, const char *path, uid_t uid, gid_t gid) {
  struct owner owner = {uid, gid};
  int fd = open_making(root_fd, path, true, make_owned, &owner);
  /* A working directory that cannot be made is reported when it is entered. */
  if (fd >= 0) close(fd);
}

int make_system_directory(int root_fd, const char *path) {
  make_directories(root_fd, path, 0, 0);
  return open_in_root(root_fd, path, O_DIRECTORY);
}

static void remove_stub(const struct stub *stub) {
  int parent_fd = parents[stub->parent].fd;
  struct stat made, now;
  if (fstat(stub->fd, &made) != 0) return;
  if (S_ISDIR(made.st_mode)) {
    unlinkat(parent_fd, stub->name, AT_REMOVEDIR);
    return;
  }
  if (fstatat(parent_fd, stub->name, &now, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (S_ISREG(now.st_mode) && now.st_ino == made.st_ino && now.st_size == 0) unlinkat(parent_fd, stub->name, 0);
}

void remove_stubs(void) {
  struct timespec *modified = xmalloc((parent_count + 1) * sizeof *modified);
  for (size_t i = 0; i < parent_count; i++) {
    modified[i] = modified_time(parents[i].fd);
    /* Nothing but us changed the directory: it shall look as if nobody did. */
    if (memcmp(&modified[i], &parents[i].modified_by_us, sizeof *modified) == 0) modified[i] = parents[i].modified;
  }
  for (size_t i = stub_count; i-- > 0;) remove_stub(&stubs[i]);
  for (size_t i = 0; i < parent_count; i++) {
    struct timespec times[2] = {parents[i].accessed, modified[i]};
    futimens(parents[i].fd, times);
    close(parents[i].fd);
  }
  for (size_t i = 0; i < stub_count; i++) {
    close(stubs[i].fd);
    free(stubs[i].name);
  }
  free(modified);
  parent_count = stub_count = 0;
}
