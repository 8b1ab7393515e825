/* What the addon exports; see index.d.ts for the contract of each function. */
#include "addon.h"

#include <stdio.h>
#include <sys/file.h>

static const struct {
  const char *name;
  napi_callback function;
} functions[] = {
    {"openat2", js_openat2},
    {"close", js_close},
    {"stat", js_stat},
    {"statOrUndefined", js_stat_or_undefined},
    {"readdir", js_readdir},
    {"readlinkat", js_readlinkat},
    {"mkdirat", js_mkdirat},
    {"mknodat", js_mknodat},
    {"symlinkat", js_symlinkat},
    {"linkat", js_linkat},
    {"unlinkat", js_unlinkat},
    {"renameat2", js_renameat2},
    {"chownat", js_chownat},
    {"chmodat", js_chmodat},
    {"utimesat", js_utimesat},
    {"listXattrs", js_list_xattrs},
    {"setXattr", js_set_xattr},
    {"removeXattr", js_remove_xattr},
    {"tryFlock", js_try_flock},
    {"fsync", js_fsync},
    {"syncfs", js_syncfs},
    {"statfs", js_statfs},
    {"copyData", js_copy_data},
    {"copyFiles", js_copy_files},
    {"hashFiles", js_hash_files},
    {"walk", js_walk},
    {"removeTree", js_remove_tree},
    {"mountOverlay", js_mount_overlay},
    {"cloneTree", js_clone_tree},
};

#define CONSTANT(name) {#name, name}
static const struct {
  const char *name;
  double value;
} constants[] = {
    CONSTANT(O_RDONLY), CONSTANT(O_WRONLY), CONSTANT(O_RDWR), CONSTANT(O_CREAT), CONSTANT(O_EXCL), CONSTANT(O_TRUNC),
    CONSTANT(O_APPEND), CONSTANT(O_NOFOLLOW), CONSTANT(O_DIRECTORY), CONSTANT(O_PATH), CONSTANT(O_CLOEXEC),
    CONSTANT(O_NONBLOCK), CONSTANT(RESOLVE_NO_XDEV), CONSTANT(RESOLVE_NO_MAGICLINKS), CONSTANT(RESOLVE_NO_SYMLINKS),
    CONSTANT(RESOLVE_BENEATH), CONSTANT(RESOLVE_IN_ROOT), CONSTANT(AT_SYMLINK_NOFOLLOW), CONSTANT(AT_REMOVEDIR),
    CONSTANT(AT_EMPTY_PATH), CONSTANT(AT_SYMLINK_FOLLOW), CONSTANT(RENAME_NOREPLACE), CONSTANT(RENAME_EXCHANGE),
    CONSTANT(LOCK_SH), CONSTANT(LOCK_EX), CONSTANT(LOCK_UN), CONSTANT(S_IFMT), CONSTANT(S_IFREG), CONSTANT(S_IFDIR),
    CONSTANT(S_IFLNK), CONSTANT(S_IFCHR), CONSTANT(S_IFBLK), CONSTANT(S_IFIFO), CONSTANT(S_IFSOCK),
};

NAPI_MODULE_INIT() {
  napi_value table;
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    napi_value function;
    if (napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].function, NULL, &function) !=
            napi_ok ||
        napi_set_named_property(env, exports, functions[i].name, function) != napi_ok) {
      return NULL;
    }
  }
  if (napi_create_object(env, &table) != napi_ok) return NULL;
  for (size_t i = 0; i < sizeof constants / sizeof *constants; i++) {
    set_number(env, table, constants[i].name, constants[i].value);
  }
  napi_set_named_property(env, exports, "constants", table);
  set_number(env, exports, "AT_FDCWD", AT_FDCWD);
  return exports;
}
