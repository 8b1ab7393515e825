/*
 * What the files of the addon share.
 *
 * The addon runs inside Node, in threads of Node's choosing. It keeps no global state but the module itself, so
 * it may be loaded by several worker threads. Every descriptor it opens is close-on-exec.
 */
#ifndef TSB_ADDON_H
#define TSB_ADDON_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define NAPI_VERSION 8
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/stat.h>
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#ifndef RESOLVE_NO_XDEV
#define RESOLVE_NO_XDEV 0x01
#define RESOLVE_NO_MAGICLINKS 0x02
#define RESOLVE_NO_SYMLINKS 0x04
#define RESOLVE_BENEATH 0x08
#define RESOLVE_IN_ROOT 0x10
#endif

/* Repeats a system call that a signal interrupted. */
#define RETRY(expression)                                   \
  __extension__({                                           \
    long retry_result_;                                     \
    do retry_result_ = (long)(expression);                  \
    while (retry_result_ == -1 && errno == EINTR);          \
    retry_result_;                                          \
  })

/* ---- values.c: between JavaScript and C ---- */

/* Longest path inside of a tree, bytes: trees may be deeper than one system call can name (see sys_openat2). */
#define LONG_PATH_MAX (64 * 1024)

/* A path or name given by JavaScript, NUL-terminated. */
struct path {
  size_t length;
  char bytes[LONG_PATH_MAX];
};

/* Each returns false with a JavaScript exception pending. */
bool read_args(napi_env env, napi_callback_info info, size_t count, napi_value *values);
bool read_int(napi_env env, napi_value value, int32_t *out);
bool read_uint(napi_env env, napi_value value, uint32_t *out);
bool read_bool(napi_env env, napi_value value, bool *out);
bool read_bigint(napi_env env, napi_value value, int64_t *out);
bool read_path(napi_env env, napi_value value, struct path *out);
/* One name of a directory: no slash and no "..", unless dirfd is AT_FDCWD. */
bool read_name(napi_env env, int dirfd, napi_value value, struct path *out);
bool is_undefined(napi_env env, napi_value value);
/* A copy on the heap of a path given by JavaScript; NULL with an exception pending. */
char *copy_path(napi_env env, napi_value value);
/* Copies of an array of paths; NULL with an exception pending. Ends with a NULL. */
char **copy_paths(napi_env env, napi_value array, uint32_t *count);
void free_paths(char **paths);

napi_value make_error(napi_env env, int error, const char *syscall_name, const char *path);
/* Throws and returns NULL, for `return throw_errno(…)`. */
napi_value throw_errno(napi_env env, const char *syscall_name, const char *path);
napi_value undefined(napi_env env);
napi_value make_buffer(napi_env env, const void *data, size_t length);
void set_number(napi_env env, napi_value object, const char *name, double value);
napi_value make_stat(napi_env env, const struct statx *st);

/* ---- files.c: file work that several functions share, by descriptor ---- */

/* openat2(2); with RESOLVE_NO_SYMLINKS a path without ".." may be up to LONG_PATH_MAX long, else PATH_MAX. */
int sys_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);
/* statx of one name (not followed) or, for an empty path, of dirfd itself. */
int sys_statx(int dirfd, const char *path, struct statx *st);
struct timespec spec_of_ns(int64_t ns);
int set_mode(int dirfd, const char *name, mode_t mode);
/* Path of a name in a directory, or of a descriptor itself for an empty name, by which *xattr(2) can be called. */
#define FD_PATH_SIZE (PATH_MAX + 64)
int fd_path(char out[static FD_PATH_SIZE], int dirfd, const char *name);

struct name_entry {
  unsigned char type; /* DT_* */
  char name[NAME_MAX + 1];
};
struct name_list {
  char *bytes; /* type byte, name, NUL; repeated */
  size_t used, size;
  size_t count;
  const char **sorted; /* each points to the type byte */
};
/* All names of a directory, sorted by bytes, without "." and "..". -1 with errno. Free with free_names. */
int list_names(int dirfd, struct name_list *list);
void free_names(struct name_list *list);

struct attribute {
  char *name;
  void *value;
  size_t size;
};
struct attributes {
  struct attribute *items;
  size_t count;
};
/* All extended attributes, sorted by name; none where the file system has none. -1 with errno. */
int list_attributes(int dirfd, const char *name, struct attributes *out);
void free_attributes(struct attributes *list);
napi_value make_attributes(napi_env env, const struct attributes *list);

/* ---- jobs.c: work on the pool ---- */

struct job {
  /* Runs on a pool thread. Reports a failure by fail_job. */
  void (*run)(struct job *job);
  /* Runs on the JavaScript thread after success; makes the value of the promise. */
  napi_value (*finish)(napi_env env, struct job *job);
  /* Frees what the job owns, and the job. */
  void (*release)(struct job *job);
  /* Set by another thread when the work is no longer wanted; NULL: cannot be cancelled. */
  const volatile uint8_t *cancel;
  /* The first failure; 0 for none. */
  int error;
  const char *syscall_name;
  char *path;

  napi_async_work work;
  napi_deferred deferred;
  napi_ref cancel_ref;
  int failed; /* atomic: somebody reported first */
};
/* Starts a job and returns its promise. Takes the job over in every case. `cancel` is a Uint8Array or undefined. */
napi_value start_job(napi_env env, struct job *job, const char *name, napi_value cancel);
/* Thread safe; only the first report counts. */
void fail_job(struct job *job, int error, const char *syscall_name, const char *path);
/* True when the job is cancelled (then it is failed with ECANCELED) or has failed. */
bool job_stopped(struct job *job);
/* Calls body(context, worker, index) for 0 <= index < count on all cores; neighbours tend to share a worker. */
#define MAX_WORKERS 64
int worker_count(size_t count);
void parallel(struct job *job, size_t count, void (*body)(void *context, int worker, size_t index), void *context);

/* ---- sha256.c ---- */

struct sha256 {
  uint32_t state[8];
  uint64_t length;
  uint8_t block[64];
};
void sha256_init(struct sha256 *hash);
void sha256_update(struct sha256 *hash, const void *data, size_t length);
void sha256_final(struct sha256 *hash, uint8_t out[32]);

/* ---- functions that module.c exports ---- */

#define EXPORTED(name) napi_value name(napi_env env, napi_callback_info info)
EXPORTED(js_openat2);
EXPORTED(js_close);
EXPORTED(js_stat);
EXPORTED(js_stat_or_undefined);
EXPORTED(js_readdir);
EXPORTED(js_readlinkat);
EXPORTED(js_mkdirat);
EXPORTED(js_mknodat);
EXPORTED(js_symlinkat);
EXPORTED(js_linkat);
EXPORTED(js_unlinkat);
EXPORTED(js_renameat2);
EXPORTED(js_chownat);
EXPORTED(js_chmodat);
EXPORTED(js_utimesat);
EXPORTED(js_list_xattrs);
EXPORTED(js_set_xattr);
EXPORTED(js_remove_xattr);
EXPORTED(js_try_flock);
EXPORTED(js_fsync);
EXPORTED(js_statfs);
EXPORTED(js_syncfs);
EXPORTED(js_copy_data);
EXPORTED(js_copy_files);
EXPORTED(js_hash_files);
EXPORTED(js_walk);
EXPORTED(js_remove_tree);
EXPORTED(js_mount_overlay);
EXPORTED(js_clone_tree);

#endif
