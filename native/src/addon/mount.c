/*
 * Mounts that are attached nowhere: overlays and clones of mount trees. Only their descriptor keeps them alive,
 * so nothing has to be unmounted, whatever ends the process.
 */
#include "addon.h"

#include <linux/types.h>
#include <stdio.h>
#include <sys/mount.h>

/* Numbers of linux/mount.h, which cannot be included together with sys/mount.h of older C libraries. */
enum {
  FSCONFIG_FLAG = 0,
  FSCONFIG_STRING = 1,
  FSCONFIG_CREATE = 6,
  FSOPEN_CLOEXEC_FLAG = 1,
  FSMOUNT_CLOEXEC_FLAG = 1,
  TREE_CLONE = 1,
  TREE_CLOEXEC = O_CLOEXEC,
  TREE_RECURSIVE = 0x8000,
  ATTR_RDONLY = 1,
};

struct mount_attributes {
  uint64_t attr_set, attr_clr, propagation, userns_fd;
};

static int clone_tree(int dirfd, const char *path, bool readonly, bool recursive) {
  unsigned flags = TREE_CLONE | TREE_CLOEXEC | (recursive ? TREE_RECURSIVE : 0) | AT_SYMLINK_NOFOLLOW;
  if (*path == '\0') flags |= AT_EMPTY_PATH;
  int fd = (int)RETRY(syscall(SYS_open_tree, dirfd, path, flags));
  if (fd < 0 || !readonly) return fd;
  struct mount_attributes attributes = {.attr_set = ATTR_RDONLY};
  unsigned how = AT_EMPTY_PATH | (recursive ? TREE_RECURSIVE : 0);
  if (RETRY(syscall(SYS_mount_setattr, fd, "", how, &attributes, sizeof attributes)) == 0) return fd;
  int saved = errno;
  close(fd);
  errno = saved;
  return -1;
}

EXPORTED(js_clone_tree) {
  napi_value argv[3], value, result;
  int32_t dirfd;
  struct path path;
  bool readonly, recursive;
  if (!read_args(env, info, 3, argv) || !read_int(env, argv[0], &dirfd) || !read_path(env, argv[1], &path)) return NULL;
  if (napi_get_named_property(env, argv[2], "readonly", &value) != napi_ok || !read_bool(env, value, &readonly) ||
      napi_get_named_property(env, argv[2], "recursive", &value) != napi_ok || !read_bool(env, value, &recursive)) {
    return NULL;
  }
  /* A path below a descriptor is resolved inside it, as everywhere. */
  int at = dirfd;
  if (path.length > 0 && dirfd != AT_FDCWD) {
    at = sys_openat2(dirfd, path.bytes, O_PATH | O_NOFOLLOW, 0, RESOLVE_IN_ROOT);
    if (at < 0) return throw_errno(env, "openat2", path.bytes);
  }
  int fd = clone_tree(at, at == dirfd ? path.bytes : "", readonly, recursive);
  int saved = errno;
  if (at != dirfd) close(at);
  errno = saved;
  if (fd < 0) return throw_errno(env, "open_tree", path.bytes);
  napi_create_int32(env, fd, &result);
  return result;
}

/*
 * Every directory of an overlay is handed over as /proc/self/fd/N: that needs no escaping, is short enough for 200
 * layers on kernels where all of them must fit into a page, and for the 256 bytes of one fsconfig value.
 */
struct overlay {
  int *lower;
  uint32_t lower_count;
  int upper, work;
  bool userxattr, readonly;
};

static void fd_text(char out[32], int fd) {
  snprintf(out, 32, "/proc/self/fd/%d", fd);
}

static int configure(int fs, const char *key, const char *value) {
  unsigned command = value == NULL ? FSCONFIG_FLAG : FSCONFIG_STRING;
  return (int)RETRY(syscall(SYS_fsconfig, fs, command, key, value, 0));
}

static int configure_fd(int fs, const char *key, int fd) {
  char text[32];
  fd_text(text, fd);
  return configure(fs, key, text);
}

/*
 * A diff must be readable without the rest of its stack, so the kernel may neither write nor follow redirects and
 * metadata-only copies; "nofollow" is also what it demands beside userxattr.
 */
static const struct {
  const char *key, *value;
} settings[] = {{"redirect_dir", "nofollow"}, {"metacopy", "off"}, {"index", "off"}, {"xino", "off"}};

static const size_t setting_count = sizeof settings / sizeof *settings;

/* fsopen … fsmount. ENOSYS where the kernel cannot take layers one by one (before 6.8). */
static int mount_by_parts(const struct overlay *overlay) {
  int fs = (int)RETRY(syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC_FLAG));
  if (fs < 0) return -1;
  int result = configure(fs, "source", "overlay");
  for (uint32_t i = 0; result == 0 && i < overlay->lower_count; i++) {
    result = configure_fd(fs, "lowerdir+", overlay->lower[i]);
    if (result < 0 && i == 0 && errno == EINVAL) errno = ENOSYS;
  }
  if (result == 0 && overlay->upper >= 0) result = configure_fd(fs, "upperdir", overlay->upper);
  if (result == 0 && overlay->upper >= 0) result = configure_fd(fs, "workdir", overlay->work);
  if (result == 0 && overlay->userxattr) result = configure(fs, "userxattr", NULL);
  /* A kernel built without one of these features does not know its option either. */
  for (size_t i = 0; result == 0 && i < setting_count; i++) {
    if (configure(fs, settings[i].key, settings[i].value) < 0 && errno != EINVAL) result = -1;
  }
  int mount_fd = -1;
  if (result == 0) result = (int)RETRY(syscall(SYS_fsconfig, fs, FSCONFIG_CREATE, NULL, NULL, 0));
  if (result == 0) {
    unsigned attributes = overlay->readonly ? ATTR_RDONLY : 0;
    mount_fd = (int)RETRY(syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC_FLAG, attributes));
  }
  int saved = errno;
  close(fs);
  errno = saved;
  return mount_fd;
}

static bool append(char **at, char *end, const char *text) {
  size_t length = strlen(text);
  if ((size_t)(end - *at) <= length) return false;
  memcpy(*at, text, length + 1);
  *at += length;
  return true;
}

static bool append_fd(char **at, char *end, const char *before, int fd) {
  char text[32];
  fd_text(text, fd);
  return append(at, end, before) && append(at, end, text);
}

/* Older kernels: mount(2) on a temporary directory, keep a clone of the mount, unmount. */
static int mount_by_options(const struct overlay *overlay) {
  char options[4096];
  char *at = options, *end = options + sizeof options - 1;
  char point[] = "/tmp/tsbuild-mount-XXXXXX";
  bool fits = true;
  *at = '\0';
  for (size_t i = 0; i < setting_count; i++) {
    fits = fits && (i == 0 || append(&at, end, ",")) && append(&at, end, settings[i].key) && append(&at, end, "=") &&
           append(&at, end, settings[i].value);
  }
  if (overlay->userxattr) fits = fits && append(&at, end, ",userxattr");
  for (uint32_t i = 0; fits && i < overlay->lower_count; i++) {
    fits = append_fd(&at, end, i == 0 ? ",lowerdir=" : ":", overlay->lower[i]);
  }
  if (overlay->upper >= 0) {
    fits = fits && append_fd(&at, end, ",upperdir=", overlay->upper) && append_fd(&at, end, ",workdir=", overlay->work);
  }
  if (!fits) {
    errno = E2BIG;
    return -1;
  }
  if (mkdtemp(point) == NULL) return -1;
  int fd = -1;
  if (mount("overlay", point, "overlay", overlay->readonly ? MS_RDONLY : 0, options) == 0) {
    fd = clone_tree(AT_FDCWD, point, overlay->readonly, false);
    int saved = errno;
    umount2(point, MNT_DETACH);
    errno = saved;
  }
  int saved = errno;
  rmdir(point);
  errno = saved;
  return fd;
}

static bool read_directory(napi_env env, napi_value value, int *fd) {
  struct path path;
  if (!read_path(env, value, &path)) return false;
  *fd = (int)RETRY(open(path.bytes, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (*fd >= 0) return true;
  throw_errno(env, "open", path.bytes);
  return false;
}

static bool read_optional_directory(napi_env env, napi_value options, const char *name, int *fd) {
  napi_value value;
  if (napi_get_named_property(env, options, name, &value) != napi_ok) return false;
  return is_undefined(env, value) || read_directory(env, value, fd);
}

static bool read_lower(napi_env env, napi_value array, struct overlay *overlay) {
  uint32_t count;
  if (napi_get_array_length(env, array, &count) != napi_ok) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "lower is an array of paths");
    return false;
  }
  overlay->lower = calloc((size_t)count + 1, sizeof *overlay->lower);
  if (overlay->lower == NULL) {
    throw_errno(env, "malloc", NULL);
    return false;
  }
  for (uint32_t i = 0; i < count; i++) {
    napi_handle_scope scope;
    napi_value item;
    napi_open_handle_scope(env, &scope);
    bool ok = napi_get_element(env, array, i, &item) == napi_ok && read_directory(env, item, &overlay->lower[i]);
    napi_close_handle_scope(env, scope);
    if (!ok) return false;
    overlay->lower_count = i + 1;
  }
  return true;
}

static int mount_overlay(const struct overlay *overlay) {
  if ((overlay->upper >= 0) != (overlay->work >= 0) || (overlay->lower_count == 0 && overlay->upper < 0)) {
    errno = EINVAL;
    return -1;
  }
  /* The kernel wants two layers at least. */
  if (overlay->upper < 0 && overlay->lower_count == 1) return clone_tree(overlay->lower[0], "", true, false);
  int fd = mount_by_parts(overlay);
  if (fd < 0 && errno == ENOSYS) fd = mount_by_options(overlay);
  return fd;
}

EXPORTED(js_mount_overlay) {
  napi_value argv[1], value, result = NULL;
  struct overlay overlay = {.upper = -1, .work = -1};
  if (!read_args(env, info, 1, argv)) return NULL;
  if (napi_get_named_property(env, argv[0], "userxattr", &value) == napi_ok &&
      read_bool(env, value, &overlay.userxattr) &&
      napi_get_named_property(env, argv[0], "readonly", &value) == napi_ok &&
      read_bool(env, value, &overlay.readonly) &&
      napi_get_named_property(env, argv[0], "lower", &value) == napi_ok && read_lower(env, value, &overlay) &&
      read_optional_directory(env, argv[0], "upper", &overlay.upper) &&
      read_optional_directory(env, argv[0], "work", &overlay.work)) {
    int fd = mount_overlay(&overlay);
    if (fd < 0) throw_errno(env, "mount overlay", NULL);
    else napi_create_int32(env, fd, &result);
  }
  for (uint32_t i = 0; i < overlay.lower_count; i++) close(overlay.lower[i]);
  free(overlay.lower);
  if (overlay.upper >= 0) close(overlay.upper);
  if (overlay.work >= 0) close(overlay.work);
  return result;
}
