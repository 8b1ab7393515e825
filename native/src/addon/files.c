/* File work by descriptor that several functions share. */
#include "addon.h"

#include <stdio.h>
#include <sys/xattr.h>

struct open_how_v0 {
  uint64_t flags, mode, resolve;
};

static int open_whole(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
  struct open_how_v0 how = {.flags = flags | O_CLOEXEC, .resolve = resolve};
  /* The kernel refuses a mode where nothing can be created. */
  if (flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) how.mode = mode & 07777;
  for (;;) {
    long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof how);
    /* EAGAIN: a rename or mount elsewhere raced with "..", openat2(2) says to try again. */
    if (fd >= 0 || (errno != EINTR && errno != EAGAIN)) return (int)fd;
  }
}

static bool has_dotdot(const char *path) {
  for (const char *at = path; (at = strstr(at, "..")) != NULL; at += 2) {
    if ((at == path || at[-1] == '/') && (at[2] == '/' || at[2] == '\0')) return true;
  }
  return false;
}

int sys_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
  size_t left = strlen(path);
  if (left < PATH_MAX) return open_whole(dirfd, path, flags, mode, resolve);
  /* Too long for the kernel: by pieces, each below the one before. A link or ".." could lead out of a piece. */
  if (!(resolve & RESOLVE_NO_SYMLINKS) || has_dotdot(path)) {
    errno = ENAMETOOLONG;
    return -1;
  }
  int at = dirfd;
  while (left >= PATH_MAX) {
    char piece[PATH_MAX];
    const char *slash = memrchr(path, '/', PATH_MAX - 1);
    size_t length = slash == NULL ? 0 : (size_t)(slash - path);
    int next = -1;
    memcpy(piece, path, length);
    piece[length] = '\0';
    errno = ENAMETOOLONG;
    if (length > 0) next = open_whole(at, piece, O_PATH | O_DIRECTORY, 0, resolve);
    int saved = errno;
    if (at != dirfd) close(at);
    errno = saved;
    if (next < 0) return -1;
    at = next;
    path += length + 1;
    left -= length + 1;
  }
  int fd = open_whole(at, *path == '\0' ? "." : path, flags, mode, resolve);
  int saved = errno;
  close(at);
  errno = saved;
  return fd;
}

int sys_statx(int dirfd, const char *path, struct statx *st) {
  int flags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_STATX_DONT_SYNC;
  return (int)RETRY(syscall(SYS_statx, dirfd, path, flags, STATX_BASIC_STATS | STATX_MNT_ID, st));
}

struct timespec spec_of_ns(int64_t ns) {
  int64_t seconds = ns / 1000000000;
  int64_t rest = ns % 1000000000;
  if (rest < 0) {
    seconds--;
    rest += 1000000000;
  }
  return (struct timespec){.tv_sec = seconds, .tv_nsec = rest};
}

int fd_path(char out[static FD_PATH_SIZE], int dirfd, const char *name) {
  int length;
  if (dirfd == AT_FDCWD) {
    length = snprintf(out, FD_PATH_SIZE, "%s", name);
  } else if (*name == '\0') {
    length = snprintf(out, FD_PATH_SIZE, "/proc/self/fd/%d", dirfd);
  } else {
    length = snprintf(out, FD_PATH_SIZE, "/proc/self/fd/%d/%s", dirfd, name);
  }
  if (length < FD_PATH_SIZE) return 0;
  errno = ENAMETOOLONG;
  return -1;
}

int set_mode(int dirfd, const char *name, mode_t mode) {
  /* chmod(2) of the magic link reaches exactly the file that is open, also when it is open with O_PATH only. */
  int fd = dirfd;
  if (*name != '\0') {
    fd = (int)RETRY(openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (fd < 0) return -1;
  }
  struct statx st;
  int result = sys_statx(fd, "", &st);
  if (result == 0 && !S_ISLNK(st.stx_mode)) {
    char path[FD_PATH_SIZE];
    fd_path(path, fd, "");
    result = (int)RETRY(chmod(path, mode));
  }
  if (fd != dirfd) {
    int saved = errno;
    close(fd);
    errno = saved;
  }
  return result;
}

static int add_name(struct name_list *list, unsigned char type, const char *name) {
  size_t length = strlen(name) + 1;
  if (list->used + length + 1 > list->size) {
    size_t size = (list->size == 0 ? 4096 : list->size * 2) + length;
    char *bytes = realloc(list->bytes, size);
    if (bytes == NULL) return -1;
    list->bytes = bytes;
    list->size = size;
  }
  list->bytes[list->used] = (char)type;
  memcpy(list->bytes + list->used + 1, name, length);
  list->used += length + 1;
  list->count++;
  return 0;
}

static int compare_names(const void *a, const void *b) {
  return strcmp(*(const char *const *)a + 1, *(const char *const *)b + 1);
}

struct dirent64_v0 {
  uint64_t ino;
  int64_t off;
  unsigned short reclen;
  unsigned char type;
  char name[];
};

int list_names(int dirfd, struct name_list *list) {
  *list = (struct name_list){0};
  /* An own file position, so that a descriptor can be listed any number of times, and O_PATH ones too. */
  int fd = (int)RETRY(openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd < 0) return -1;
  size_t size = 32768;
  char *buffer = malloc(size);
  long got = buffer == NULL ? -1 : 1;
  while (got > 0) {
    got = RETRY(syscall(SYS_getdents64, fd, buffer, size));
    for (long at = 0; at < got;) {
      struct dirent64_v0 *entry = (struct dirent64_v0 *)(buffer + at);
      at += entry->reclen;
      if (strcmp(entry->name, ".") == 0 || strcmp(entry->name, "..") == 0) continue;
      if (add_name(list, entry->type, entry->name) < 0) {
        got = -1;
        break;
      }
    }
  }
  int saved = errno;
  free(buffer);
  close(fd);
  if (got == 0) {
    list->sorted = malloc((list->count + 1) * sizeof *list->sorted);
    if (list->sorted == NULL) got = -1;
  }
  if (got < 0) {
    free_names(list);
    errno = saved;
    return -1;
  }
  const char *at = list->bytes;
  for (size_t i = 0; i < list->count; i++) {
    list->sorted[i] = at;
    at += 1 + strlen(at + 1) + 1;
  }
  qsort(list->sorted, list->count, sizeof *list->sorted, compare_names);
  return 0;
}

void free_names(struct name_list *list) {
  free(list->bytes);
  free(list->sorted);
  *list = (struct name_list){0};
}

static int compare_attributes(const void *a, const void *b) {
  return strcmp(((const struct attribute *)a)->name, ((const struct attribute *)b)->name);
}

/* The magic link of a descriptor must be followed; a name below one must not. */
static ssize_t list_of(const char *path, bool itself, char *out, size_t size) {
  return itself ? RETRY(listxattr(path, out, size)) : RETRY(llistxattr(path, out, size));
}

static ssize_t value_of(const char *path, bool itself, const char *name, void *out, size_t size) {
  return itself ? RETRY(getxattr(path, name, out, size)) : RETRY(lgetxattr(path, name, out, size));
}

/* One value; false with errno. An attribute that vanished has items == NULL value and is left out. */
static bool add_attribute(const char *path, bool itself, const char *name, struct attributes *out) {
  for (;;) {
    ssize_t size = value_of(path, itself, name, NULL, 0);
    if (size < 0) return errno == ENODATA || errno == EPERM || errno == EACCES;
    void *value = malloc((size_t)size + 1);
    if (value == NULL) return false;
    size = value_of(path, itself, name, value, (size_t)size);
    if (size < 0) {
      free(value);
      if (errno == ERANGE) continue;
      return errno == ENODATA;
    }
    struct attribute *items = realloc(out->items, (out->count + 1) * sizeof *items);
    if (items != NULL) out->items = items;
    char *copy = items == NULL ? NULL : strdup(name);
    if (copy == NULL) {
      free(value);
      return false;
    }
    out->items[out->count++] = (struct attribute){.name = copy, .value = value, .size = (size_t)size};
    return true;
  }
}

int list_attributes(int dirfd, const char *name, struct attributes *out) {
  *out = (struct attributes){0};
  char path[FD_PATH_SIZE];
  char small[1024];
  char *names = small;
  bool itself = *name == '\0';
  if (fd_path(path, dirfd, name) < 0) return -1;
  ssize_t length = list_of(path, itself, small, sizeof small);
  while (length < 0 && errno == ERANGE) {
    length = list_of(path, itself, NULL, 0);
    if (length < 0) break;
    if (names != small) free(names);
    names = malloc((size_t)length + 1);
    if (names == NULL) return -1;
    length = list_of(path, itself, names, (size_t)length);
  }
  int result = 0;
  if (length < 0) result = errno == ENOTSUP || errno == ENOSYS ? 0 : -1;
  for (ssize_t at = 0; at < length && result == 0; at += (ssize_t)strlen(names + at) + 1) {
    if (!add_attribute(path, itself, names + at, out)) result = -1;
  }
  int saved = errno;
  if (names != small) free(names);
  if (result < 0) free_attributes(out);
  else if (out->count > 1) qsort(out->items, out->count, sizeof *out->items, compare_attributes);
  errno = saved;
  return result;
}

void free_attributes(struct attributes *list) {
  for (size_t i = 0; i < list->count; i++) {
    free(list->items[i].name);
    free(list->items[i].value);
  }
  free(list->items);
  *list = (struct attributes){0};
}

napi_value make_attributes(napi_env env, const struct attributes *list) {
  napi_value array;
  if (napi_create_array_with_length(env, list->count, &array) != napi_ok) return NULL;
  for (size_t i = 0; i < list->count; i++) {
    napi_value item, name;
    napi_create_object(env, &item);
    napi_create_string_latin1(env, list->items[i].name, NAPI_AUTO_LENGTH, &name);
    napi_set_named_property(env, item, "name", name);
    napi_set_named_property(env, item, "value", make_buffer(env, list->items[i].value, list->items[i].size));
    napi_set_element(env, array, (uint32_t)i, item);
  }
  return array;
}
