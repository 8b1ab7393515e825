/* One JavaScript function per system call, all by descriptor. */
#include "addon.h"

#include <sys/file.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <linux/limits.h>
#include <sys/xattr.h>

#define ARGS(count)       \
  napi_value argv[count]; \
  if (!read_args(env, info, count, argv)) return NULL

EXPORTED(js_openat2) {
  ARGS(5);
  int32_t dirfd;
  uint32_t flags, mode, resolve;
  struct path path;
  if (!read_int(env, argv[0], &dirfd) || !read_path(env, argv[1], &path) || !read_uint(env, argv[2], &flags) ||
      !read_uint(env, argv[3], &mode) || !read_uint(env, argv[4], &resolve)) {
    return NULL;
  }
  int fd = sys_openat2(dirfd, path.bytes, flags, mode, resolve);
  if (fd < 0) return throw_errno(env, "openat2", path.bytes);
  napi_value result;
  napi_create_int32(env, fd, &result);
  return result;
}

EXPORTED(js_close) {
  ARGS(1);
  int32_t fd;
  if (!read_int(env, argv[0], &fd)) return NULL;
  /* Linux frees the descriptor even when close(2) says EINTR: never repeat it. */
  if (close(fd) < 0 && errno != EINTR) return throw_errno(env, "close", NULL);
  return undefined(env);
}

/*
 * A single name that is not followed is asked for directly. Anything else is opened inside dirfd as in a root, so
 * that no link of an untrusted tree leads out of it. Below AT_FDCWD a path is an ordinary path.
 */
static bool is_plain(int dirfd, const struct path *path, bool follow) {
  if (path->length == 0 || (dirfd == AT_FDCWD && !follow)) return true;
  return !follow && memchr(path->bytes, '/', path->length) == NULL && strcmp(path->bytes, "..") != 0;
}

static int open_inside(int dirfd, const struct path *path, bool follow) {
  uint64_t flags = O_PATH | (follow ? 0 : O_NOFOLLOW);
  return sys_openat2(dirfd, path->bytes, flags, 0, dirfd == AT_FDCWD ? 0 : RESOLVE_IN_ROOT);
}

static int stat_inside(int dirfd, const struct path *path, bool follow, struct statx *st) {
  if (is_plain(dirfd, path, follow)) return sys_statx(dirfd, path->bytes, st);
  int fd = open_inside(dirfd, path, follow);
  if (fd < 0) return -1;
  int result = sys_statx(fd, "", st);
  int saved = errno;
  close(fd);
  errno = saved;
  return result;
}

static napi_value stat_call(napi_env env, napi_callback_info info, bool missing_is_fine) {
  ARGS(3);
  int32_t dirfd;
  struct path path;
  bool follow;
  struct statx st;
  if (!read_int(env, argv[0], &dirfd) || !read_path(env, argv[1], &path) || !read_bool(env, argv[2], &follow)) {
    return NULL;
  }
  if (stat_inside(dirfd, &path, follow, &st) == 0) return make_stat(env, &st);
  if (missing_is_fine && (errno == ENOENT || errno == ENOTDIR)) return undefined(env);
  return throw_errno(env, "statx", path.bytes);
}

EXPORTED(js_stat) {
  return stat_call(env, info, false);
}

EXPORTED(js_stat_or_undefined) {
  return stat_call(env, info, true);
}

static double type_bits(unsigned char type) {
  return type == DT_UNKNOWN ? 0 : DTTOIF(type);
}

EXPORTED(js_readdir) {
  ARGS(1);
  int32_t dirfd;
  struct name_list list;
  napi_value array;
  if (!read_int(env, argv[0], &dirfd)) return NULL;
  if (list_names(dirfd, &list) < 0) return throw_errno(env, "getdents64", NULL);
  napi_create_array_with_length(env, list.count, &array);
  for (size_t i = 0; i < list.count; i++) {
    napi_handle_scope scope;
    napi_value item;
    const char *name = list.sorted[i] + 1;
    napi_open_handle_scope(env, &scope);
    napi_create_object(env, &item);
    napi_set_named_property(env, item, "name", make_buffer(env, name, strlen(name)));
    set_number(env, item, "type", type_bits((unsigned char)list.sorted[i][0]));
    napi_set_element(env, array, (uint32_t)i, item);
    napi_close_handle_scope(env, scope);
  }
  free_names(&list);
  return array;
}

EXPORTED(js_readlinkat) {
  ARGS(2);
  int32_t dirfd;
  struct path path;
  char target[PATH_MAX + 1];
  if (!read_int(env, argv[0], &dirfd) || !read_path(env, argv[1], &path)) return NULL;
  ssize_t length;
  if (is_plain(dirfd, &path, false)) {
    length = RETRY(readlinkat(dirfd, path.bytes, target, sizeof target));
  } else {
    int fd = open_inside(dirfd, &path, false);
    if (fd < 0) return throw_errno(env, "readlinkat", path.bytes);
    length = RETRY(readlinkat(fd, "", target, sizeof target));
    int saved = errno;
    close(fd);
    errno = saved;
  }
  if (length < 0) return throw_errno(env, "readlinkat", path.bytes);
  return make_buffer(env, target, (size_t)length);
}

EXPORTED(js_mkdirat) {
  ARGS(3);
  int32_t dirfd;
  uint32_t mode;
  struct path name;
  if (!read_int(env, argv[0], &dirfd) || !read_name(env, dirfd, argv[1], &name) || !read_uint(env, argv[2], &mode)) {
    return NULL;
  }
  if (RETRY(mkdirat(dirfd, name.bytes, mode)) < 0) return throw_errno(env, "mkdirat", name.bytes);
  return undefined(env);
}

EXPORTED(js_mknodat) {
  ARGS(5);
  int32_t dirfd;
  uint32_t mode, major_number, minor_number;
  struct path name;
  if (!read_int(env, argv[0], &dirfd) || !read_name(env, dirfd, argv[1], &name) || !read_uint(env, argv[2], &mode) ||
      !read_uint(env, argv[3], &major_number) || !read_uint(env, argv[4], &minor_number)) {
    return NULL;
  }
  if (RETRY(mknodat(dirfd, name.bytes, mode, makedev(major_number, minor_number))) < 0) {
    return throw_errno(env, "mknodat", name.bytes);
  }
  return undefined(env);
}

EXPORTED(js_symlinkat) {
  ARGS(3);
  int32_t dirfd;
  struct path target, name;
  if (!read_path(env, argv[0], &target) || !read_int(env, argv[1], &dirfd) || !read_name(env, dirfd, argv[2], &name)) {
    return NULL;
  }
  if (RETRY(symlinkat(target.bytes, dirfd, name.bytes)) < 0) return throw_errno(env, "symlinkat", name.bytes);
  return undefined(env);
}

EXPORTED(js_linkat) {
  ARGS(4);
  int32_t old_dirfd, new_dirfd;
  struct path old_name, new_name;
  if (!read_int(env, argv[0], &old_dirfd) || !read_name(env, old_dirfd, argv[1], &old_name) ||
      !read_int(env, argv[2], &new_dirfd) || !read_name(env, new_dirfd, argv[3], &new_name)) {
    return NULL;
  }
  int result;
  if (old_name.length > 0) {
    result = (int)RETRY(linkat(old_dirfd, old_name.bytes, new_dirfd, new_name.bytes, 0));
  } else {
    /* AT_EMPTY_PATH needs CAP_DAC_READ_SEARCH in the first user namespace; the magic link needs nothing. */
    char path[FD_PATH_SIZE];
    fd_path(path, old_dirfd, "");
    result = (int)RETRY(linkat(AT_FDCWD, path, new_dirfd, new_name.bytes, AT_SYMLINK_FOLLOW));
  }
  if (result < 0) return throw_errno(env, "linkat", new_name.bytes);
  return undefined(env);
}

EXPORTED(js_unlinkat) {
  ARGS(3);
  int32_t dirfd;
  uint32_t flags = 0;
  struct path name;
  if (!read_int(env, argv[0], &dirfd) || !read_name(env, dirfd, argv[1], &name)) return NULL;
  if (!is_undefined(env, argv[2]) && !read_uint(env, argv[2], &flags)) return NULL;
  if (RETRY(unlinkat(dirfd, name.bytes, (int)flags)) < 0) return throw_errno(env, "unlinkat", name.bytes);
  return undefined(env);
}

EXPORTED(js_renameat2) {
  ARGS(5);
  int32_t old_dirfd, new_dirfd;
  uint32_t flags = 0;
  struct path old_name, new_name;
  if (!read_int(env, argv[0], &old_dirfd) || !read_name(env, old_dirfd, argv[1], &old_name) ||
      !read_int(env, argv[2], &new_dirfd) || !read_name(env, new_dirfd, argv[3], &new_name)) {
    return NULL;
  }
  if (!is_undefined(env, argv[4]) && !read_uint(env, argv[4], &flags)) return NULL;
  if (RETRY(syscall(SYS_renameat2, old_dirfd, old_name.bytes, new_dirfd, new_name.bytes, flags)) < 0) {
    return throw_errno(env, "renameat2", old_name.bytes);
  }
  return undefined(env);
}

EXPORTED(js_chownat) {
  ARGS(4);
  int32_t dirfd;
  uint32_t uid, gid;
  struct path name;
  if (!read_int(env, argv[0], &dirfd) || !read_name(env, dirfd, argv[1], &name) || !read_uint(env, argv[2], &uid) ||
      !read_uint(env, argv[3], &gid)) {
    return NULL;
  }
  if (RETRY(fchownat(dirfd, name.bytes, uid, gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) < 0) {
    return throw_errno(env, "fchownat", name.bytes);
  }
  return undefined(env);
}

EXPORTED(js_chmodat) {
  ARGS(3);
  int32_t dirfd;
  uint32_t mode;
  struct path name;
  if (!read_int(env, argv[0], &dirfd) || !read_name(env, dirfd, argv[1], &name) || !read_uint(env, argv[2], &mode)) {
    return NULL;
  }
  if (set_mode(dirfd, name.bytes, mode & 07777) < 0) return throw_errno(env, "chmod", name.bytes);
  return undefined(env);
}

EXPORTED(js_utimesat) {
  ARGS(4);
  int32_t dirfd;
  int64_t atime, mtime;
  struct path name;
  if (!read_int(env, argv[0], &dirfd) || !read_name(env, dirfd, argv[1], &name) ||
      !read_bigint(env, argv[2], &atime) || !read_bigint(env, argv[3], &mtime)) {
    return NULL;
  }
  struct timespec times[2] = {spec_of_ns(atime), spec_of_ns(mtime)};
  long result;
  if (name.length > 0) {
    result = RETRY(utimensat(dirfd, name.bytes, times, AT_SYMLINK_NOFOLLOW));
  } else {
    result = RETRY(utimensat(dirfd, "", times, AT_EMPTY_PATH));
  }
  if (result < 0) return throw_errno(env, "utimensat", name.bytes);
  return undefined(env);
}

EXPORTED(js_list_xattrs) {
  ARGS(2);
  int32_t dirfd;
  struct path name;
  struct attributes list;
  if (!read_int(env, argv[0], &dirfd) || !read_name(env, dirfd, argv[1], &name)) return NULL;
  if (list_attributes(dirfd, name.bytes, &list) < 0) return throw_errno(env, "listxattr", name.bytes);
  napi_value result = make_attributes(env, &list);
  free_attributes(&list);
  return result;
}

/* Names of attributes are bytes: one character each, as make_attributes gives them. */
static bool read_attribute_name(napi_env env, napi_value value, struct path *out) {
  if (napi_get_value_string_latin1(env, value, out->bytes, XATTR_NAME_MAX + 2, &out->length) != napi_ok) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "the name of an attribute is a string");
    return false;
  }
  if (strlen(out->bytes) == out->length && out->length <= XATTR_NAME_MAX) return true;
  errno = ERANGE;
  throw_errno(env, "setxattr", NULL);
  return false;
}

EXPORTED(js_set_xattr) {
  ARGS(4);
  int32_t dirfd;
  struct path name, attribute;
  void *value = NULL;
  size_t size = 0;
  char path[FD_PATH_SIZE];
  if (!read_int(env, argv[0], &dirfd) || !read_name(env, dirfd, argv[1], &name) ||
      !read_attribute_name(env, argv[2], &attribute)) {
    return NULL;
  }
  if (napi_get_buffer_info(env, argv[3], &value, &size) != napi_ok) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "a Buffer is expected");
    return NULL;
  }
  if (fd_path(path, dirfd, name.bytes) < 0 ||
      (name.length == 0 ? RETRY(setxattr(path, attribute.bytes, value, size, 0))
                        : RETRY(lsetxattr(path, attribute.bytes, value, size, 0))) < 0) {
    return throw_errno(env, "setxattr", attribute.bytes);
  }
  return undefined(env);
}

EXPORTED(js_remove_xattr) {
  ARGS(3);
  int32_t dirfd;
  struct path name, attribute;
  char path[FD_PATH_SIZE];
  if (!read_int(env, argv[0], &dirfd) || !read_name(env, dirfd, argv[1], &name) ||
      !read_attribute_name(env, argv[2], &attribute)) {
    return NULL;
  }
  if (fd_path(path, dirfd, name.bytes) < 0 ||
      (name.length == 0 ? RETRY(removexattr(path, attribute.bytes)) : RETRY(lremovexattr(path, attribute.bytes))) < 0) {
    return throw_errno(env, "removexattr", attribute.bytes);
  }
  return undefined(env);
}

EXPORTED(js_try_flock) {
  ARGS(2);
  int32_t fd, operation;
  napi_value result;
  if (!read_int(env, argv[0], &fd) || !read_int(env, argv[1], &operation)) return NULL;
  long done = RETRY(flock(fd, operation | LOCK_NB));
  if (done < 0 && errno != EWOULDBLOCK) return throw_errno(env, "flock", NULL);
  napi_get_boolean(env, done == 0, &result);
  return result;
}

EXPORTED(js_fsync) {
  ARGS(1);
  int32_t fd;
  if (!read_int(env, argv[0], &fd)) return NULL;
  if (RETRY(fsync(fd)) < 0) return throw_errno(env, "fsync", NULL);
  return undefined(env);
}

EXPORTED(js_statfs) {
  ARGS(1);
  int32_t fd;
  struct statfs st;
  napi_value result;
  if (!read_int(env, argv[0], &fd)) return NULL;
  if (RETRY(fstatfs(fd, &st)) < 0) return throw_errno(env, "fstatfs", NULL);
  napi_create_object(env, &result);
  set_number(env, result, "type", (double)(uint32_t)st.f_type);
  set_number(env, result, "blockSize", (double)st.f_bsize);
  set_number(env, result, "freeBytes", (double)st.f_bavail * (double)st.f_bsize);
  set_number(env, result, "totalBytes", (double)st.f_blocks * (double)st.f_bsize);
  set_number(env, result, "freeFiles", (double)st.f_ffree);
  return result;
}

struct sync_job {
  struct job job;
  int fd;
};

static void run_sync(struct job *job) {
  if (RETRY(syncfs(((struct sync_job *)job)->fd)) < 0) fail_job(job, errno, "syncfs", NULL);
}

static void release_sync(struct job *job) {
  free(job);
}

EXPORTED(js_syncfs) {
  ARGS(1);
  int32_t fd;
  if (!read_int(env, argv[0], &fd)) return NULL;
  struct sync_job *sync = calloc(1, sizeof *sync);
  if (sync == NULL) return throw_errno(env, "malloc", NULL);
  *sync = (struct sync_job){.job = {.run = run_sync, .release = release_sync}, .fd = fd};
  return start_job(env, &sync->job, "syncfs", NULL);
}
