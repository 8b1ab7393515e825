/* Between JavaScript values and C: arguments in, errors, buffers and stat objects out. */
#include "addon.h"

#include <stdio.h>

bool read_args(napi_env env, napi_callback_info info, size_t count, napi_value *values) {
  size_t given = count;
  /* Arguments that are not given are filled with undefined by Node-API. */
  return napi_get_cb_info(env, info, &given, values, NULL, NULL) == napi_ok;
}

static bool type_error(napi_env env, const char *text) {
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", text);
  return false;
}

bool read_int(napi_env env, napi_value value, int32_t *out) {
  if (napi_get_value_int32(env, value, out) == napi_ok) return true;
  return type_error(env, "a number is expected");
}

bool read_uint(napi_env env, napi_value value, uint32_t *out) {
  if (napi_get_value_uint32(env, value, out) == napi_ok) return true;
  return type_error(env, "a number is expected");
}

bool read_bool(napi_env env, napi_value value, bool *out) {
  *out = false;
  if (is_undefined(env, value)) return true;
  if (napi_get_value_bool(env, value, out) == napi_ok) return true;
  return type_error(env, "a boolean is expected");
}

bool read_bigint(napi_env env, napi_value value, int64_t *out) {
  bool lossless = false;
  if (napi_get_value_bigint_int64(env, value, out, &lossless) != napi_ok) {
    return type_error(env, "a bigint is expected");
  }
  if (lossless) return true;
  napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "the bigint does not fit into 64 bits");
  return false;
}

bool is_undefined(napi_env env, napi_value value) {
  napi_valuetype type;
  return napi_typeof(env, value, &type) != napi_ok || type == napi_undefined;
}

bool read_path(napi_env env, napi_value value, struct path *out) {
  napi_valuetype type;
  if (napi_typeof(env, value, &type) != napi_ok) return type_error(env, "a path is expected");
  bool fits = true;
  if (type == napi_string) {
    size_t length = 0;
    napi_get_value_string_utf8(env, value, NULL, 0, &length);
    fits = length < sizeof out->bytes;
    if (fits) napi_get_value_string_utf8(env, value, out->bytes, sizeof out->bytes, &out->length);
  } else {
    bool buffer = false;
    void *data = NULL;
    size_t length = 0;
    if (napi_is_buffer(env, value, &buffer) != napi_ok || !buffer ||
        napi_get_buffer_info(env, value, &data, &length) != napi_ok) {
      return type_error(env, "a path is a Buffer or a string");
    }
    fits = length < sizeof out->bytes;
    if (fits) {
      if (length > 0) memcpy(out->bytes, data, length);
      out->bytes[length] = '\0';
      out->length = length;
    }
  }
  if (!fits) {
    errno = ENAMETOOLONG;
    throw_errno(env, "path", NULL);
    return false;
  }
  if (memchr(out->bytes, 0, out->length) != NULL) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_VALUE", "a path must not hold a NUL byte");
    return false;
  }
  return true;
}

bool read_name(napi_env env, int dirfd, napi_value value, struct path *out) {
  if (!read_path(env, value, out)) return false;
  if (dirfd == AT_FDCWD) return true;
  if (memchr(out->bytes, '/', out->length) == NULL && strcmp(out->bytes, "..") != 0) return true;
  errno = EINVAL;
  throw_errno(env, "name with a slash below a descriptor", out->bytes);
  return false;
}

char *copy_path(napi_env env, napi_value value) {
  struct path path;
  if (!read_path(env, value, &path)) return NULL;
  char *copy = malloc(path.length + 1);
  if (copy == NULL) {
    throw_errno(env, "malloc", NULL);
    return NULL;
  }
  return memcpy(copy, path.bytes, path.length + 1);
}

char **copy_paths(napi_env env, napi_value array, uint32_t *count) {
  if (napi_get_array_length(env, array, count) != napi_ok) {
    type_error(env, "an array of paths is expected");
    return NULL;
  }
  char **paths = calloc((size_t)*count + 1, sizeof *paths);
  if (paths == NULL) {
    throw_errno(env, "malloc", NULL);
    return NULL;
  }
  for (uint32_t i = 0; i < *count; i++) {
    napi_handle_scope scope;
    napi_value item;
    napi_open_handle_scope(env, &scope);
    if (napi_get_element(env, array, i, &item) == napi_ok) paths[i] = copy_path(env, item);
    napi_close_handle_scope(env, scope);
    if (paths[i] == NULL) {
      free_paths(paths);
      return NULL;
    }
  }
  return paths;
}

void free_paths(char **paths) {
  if (paths == NULL) return;
  for (char **path = paths; *path != NULL; path++) free(*path);
  free(paths);
}

static const char *error_name(int error) {
#define NAME(code) \
  case code:       \
    return #code;
  switch (error) {
    NAME(EPERM) NAME(ENOENT) NAME(EINTR) NAME(EIO) NAME(ENXIO) NAME(E2BIG) NAME(EBADF) NAME(EAGAIN)
    NAME(ENOMEM) NAME(EACCES) NAME(EFAULT) NAME(EBUSY) NAME(EEXIST) NAME(EXDEV) NAME(ENODEV) NAME(ENOTDIR)
    NAME(EISDIR) NAME(EINVAL) NAME(ENFILE) NAME(EMFILE) NAME(ENOTTY) NAME(ETXTBSY) NAME(EFBIG) NAME(ENOSPC)
    NAME(ESPIPE) NAME(EROFS) NAME(EMLINK) NAME(EPIPE) NAME(ERANGE) NAME(EDEADLK) NAME(ENAMETOOLONG)
    NAME(ENOLCK) NAME(ENOSYS) NAME(ENOTEMPTY) NAME(ELOOP) NAME(ENODATA) NAME(EOVERFLOW) NAME(EILSEQ)
    NAME(ENOTSUP) NAME(ESTALE) NAME(EDQUOT) NAME(ECANCELED) NAME(EREMOTEIO) NAME(EUCLEAN)
    default:
      return "EUNKNOWN";
  }
#undef NAME
}

static void set_text(napi_env env, napi_value object, const char *name, const char *text) {
  napi_value value;
  if (napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value) == napi_ok) {
    napi_set_named_property(env, object, name, value);
  }
}

napi_value make_error(napi_env env, int error, const char *syscall_name, const char *path) {
  char reason[128];
  char text[PATH_MAX + 512];
  const char *code = error_name(error);
  /* The GNU strerror_r returns the text. */
  const char *meaning = strerror_r(error, reason, sizeof reason);
  if (path == NULL || *path == '\0') {
    snprintf(text, sizeof text, "%s: %s, %s", code, meaning, syscall_name);
  } else {
    snprintf(text, sizeof text, "%s: %s, %s '%s'", code, meaning, syscall_name, path);
  }
  napi_value message, result;
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message);
  napi_create_error(env, NULL, message, &result);
  set_text(env, result, "code", code);
  set_number(env, result, "errno", -error);
  set_text(env, result, "syscall", syscall_name);
  if (path != NULL && *path != '\0') set_text(env, result, "path", path);
  return result;
}

napi_value throw_errno(napi_env env, const char *syscall_name, const char *path) {
  napi_throw(env, make_error(env, errno, syscall_name, path));
  return NULL;
}

napi_value undefined(napi_env env) {
  napi_value value;
  napi_get_undefined(env, &value);
  return value;
}

napi_value make_buffer(napi_env env, const void *data, size_t length) {
  napi_value value = NULL;
  napi_create_buffer_copy(env, length, data, NULL, &value);
  return value;
}

void set_number(napi_env env, napi_value object, const char *name, double number) {
  napi_value value;
  if (napi_create_double(env, number, &value) == napi_ok) napi_set_named_property(env, object, name, value);
}

static int64_t ns_of(struct statx_timestamp time) {
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void set_ns(napi_env env, napi_value object, const char *name, struct statx_timestamp time) {
  napi_value value;
  if (napi_create_bigint_int64(env, ns_of(time), &value) == napi_ok) {
    napi_set_named_property(env, object, name, value);
  }
}

napi_value make_stat(napi_env env, const struct statx *st) {
  napi_value result, ino;
  if (napi_create_object(env, &result) != napi_ok) return NULL;
  set_number(env, result, "mode", st->stx_mode);
  set_number(env, result, "uid", st->stx_uid);
  set_number(env, result, "gid", st->stx_gid);
  set_number(env, result, "nlink", st->stx_nlink);
  set_number(env, result, "size", (double)st->stx_size);
  set_number(env, result, "blocks", (double)st->stx_blocks);
  napi_create_bigint_uint64(env, st->stx_ino, &ino);
  napi_set_named_property(env, result, "ino", ino);
  set_number(env, result, "devMajor", st->stx_dev_major);
  set_number(env, result, "devMinor", st->stx_dev_minor);
  set_number(env, result, "rdevMajor", st->stx_rdev_major);
  set_number(env, result, "rdevMinor", st->stx_rdev_minor);
  set_ns(env, result, "atimeNs", st->stx_atime);
  set_ns(env, result, "mtimeNs", st->stx_mtime);
  set_ns(env, result, "ctimeNs", st->stx_ctime);
  return result;
}
