/*
 * What every file of tsbuild-helper shares. The program is single-threaded and static; it has three commands:
 * launch (namespaces for the engine), sandbox (one RUN step), probe (what this host can do).
 */
#ifndef TSBUILD_HELPER_H
#define TSBUILD_HELPER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

int launch_main(int argc, char **argv);
int probe_main(void);
int sandbox_main(int argc, char **argv);

/* ---- io.c: records, reports, small files ---- */

/*
 * A record is: one byte key length, key, four bytes little-endian value length, value, one NUL byte. The NUL is not
 * part of the value; it lets a parsed value be used as a C string in place.
 */
#define SPEC_MAX_BYTES (256u << 20)

/* Where fail() and report() write; set once per process. */
extern int report_fd;

void report(const char *key, const char *format, ...) __attribute__((format(printf, 2, 3)));
void report_bytes(const char *key, const void *value, size_t length);

/*
 * Reports why the step could not be set up and ends this process. `kind` says whose business it is:
 *   host   this machine refuses something        mount  a mount of the step cannot be made
 *   exec   the command cannot be started         spec   the engine sent nonsense (a bug)
 * `status` is the exit code that docker's runtime would show for it.
 */
_Noreturn void fail(const char *kind, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

void *xmalloc(size_t size);
void *xrealloc(void *pointer, size_t size);
/* Reads until end of file, at most `limit` bytes. */
char *read_all(int fd, size_t limit, size_t *length);
bool write_all(int fd, const void *data, size_t length);
/* Writes text to an existing (proc) file; false with errno set where that fails. */
bool write_file(const char *path, const char *text);
/* First `size`-1 bytes of a file as a string; false if it cannot be read. */
bool read_file(const char *path, char *buffer, size_t size);
/* Gives every descriptor from `first` up the close-on-exec flag. */
void cloexec_from(int first);
/* Closes every descriptor from `first` up. */
void close_from(int first);

/* ---- spec.c ---- */

struct text_list {
  char **items;
  size_t count;
};
void text_list_add(struct text_list *list, char *item);

enum mount_type { MOUNT_BIND, MOUNT_OVERLAY, MOUNT_TMPFS, MOUNT_FILE };

struct mount_spec {
  enum mount_type type;
  const char *target;
  /* bind: a path of the engine's, or an open descriptor. */
  const char *source;
  int source_fd;
  /* overlay: directories, top first; upper and work where writes go somewhere. */
  struct text_list lower;
  const char *upper, *work;
  /* bind and overlay: what to show of the source, resolved inside it. */
  const char *subpath;
  bool readonly, recursive, executable;
  /* tmpfs: 0 is the kernel's default. */
  uint64_t size;
  mode_t mode;
  uid_t uid;
  gid_t gid;
  /* file: the content. */
  const char *data;
  size_t data_length;
  /* Made by prepare_sources: a detached mount ready to be moved to its target. */
  int mount_fd;
  bool is_directory;
};

struct rlimit_spec {
  int resource;
  uint64_t soft, hard;
};

struct spec {
  pid_t parent;
  const char *hostname, *cwd;
  uid_t uid;
  gid_t gid;
  gid_t *groups;
  size_t group_count;
  struct text_list args, env;
  bool insecure, private_network, userns, single_id, tty;
  /* Root file system: a plain directory, or layers. */
  const char *root_dir;
  struct text_list lower;
  const char *upper, *work;
  uint64_t shm_size;
  struct rlimit_spec *rlimits;
  size_t rlimit_count;
  struct text_list devices;
  struct mount_spec *mounts;
  size_t mount_count;
};

void parse_spec(struct spec *spec, char *data, size_t length);

/* ---- sys.c: system calls that the C library may lack ---- */

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef RESOLVE_IN_ROOT
#define RESOLVE_NO_XDEV 0x01
#define RESOLVE_NO_MAGICLINKS 0x02
#define RESOLVE_NO_SYMLINKS 0x04
#define RESOLVE_BENEATH 0x08
#define RESOLVE_IN_ROOT 0x10
#endif
#define ATTR_RDONLY 0x01
#define ATTR_NOSUID 0x02
#define ATTR_NODEV 0x04
#define ATTR_NOEXEC 0x08

int sys_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);
int sys_open_tree(int dirfd, const char *path, unsigned flags);
int sys_move_mount(int from_fd, int to_fd);
int sys_fsopen(const char *type);
int sys_fsconfig_string(int fs_fd, const char *key, const char *value);
int sys_fsconfig_flag(int fs_fd, const char *key);
/* Creates the file system and a detached mount of it; closes fs_fd. */
int sys_fsmount(int fs_fd, unsigned attributes);
int sys_mount_setattr(int fd, bool recursive, uint64_t set);
int sys_pivot_root(const char *new_root, const char *put_old);
int sys_close_range(unsigned first, unsigned last, unsigned flags);
uint64_t mount_id_of(int fd);

/* ---- targets.c: places to mount on, found and made inside a root ---- */

/* Opens `path` (O_PATH) inside the root, links and `..` kept inside; -1 with errno. */
int open_in_root(int root_fd, const char *path, uint64_t flags);
/* Like open_in_root, but makes what is missing, and remembers it for remove_stubs. */
int make_target(int root_fd, const char *path, bool directory);

/* /dev, /proc or /sys, made where the image has none. Unlike other targets it stays in the layer, as with runc. */
int make_system_directory(int root_fd, const char *path);
/* Makes the directory `path` and its parents 0755, owned by uid:gid; nothing is removed later. */
void make_directories(int root_fd, const char *path, uid_t uid, gid_t gid);
/* Removes what make_target made and the step left empty, and puts back the times of the parents. */
void remove_stubs(void);

/* ---- rootfs.c, mounts.c, devices.c, system.c ---- */

/* Puts the step's root file system on a scratch directory of this mount namespace; returns its descriptor. */
int mount_rootfs(const struct spec *spec);
/* Mounts layers over an empty scratch directory; returns a descriptor of the mount's root. */
int mount_overlay(const struct text_list *lower, const char *upper, const char *work, bool userns);
/* A fresh directory on the scratch tmpfs. */
int scratch_directory(void);
int scratch_fd(void);
/* Detached copies of bind sources; must run before this process leaves the engine's mount namespace. */
void clone_sources(struct spec *spec);
/* Detached mounts of all other sources. */
void prepare_sources(struct spec *spec);
void attach_mounts(struct spec *spec, int root_fd);
bool is_below(const char *path, const char *folder);
void attach(int mount_fd, int target_fd, const char *target);
/* A detached tmpfs; `size` text as for mount(8) or NULL. */
int new_tmpfs(const char *size, const char *mode, unsigned attributes);
void make_devices(const struct spec *spec, int root_fd);
/* /sys and its cgroup folders. */
void mount_sysfs(const struct spec *spec, int root_fd);
/* /proc with its masked and read-only paths; runs as pid 1 of the new pid namespace. */
void mount_procfs(const struct spec *spec, int root_fd);

/* ---- process.c, caps.c, seccomp.c, terminal.c, network.c ---- */

struct streams {
  int in, out, err;
};
/* Body of pid 1 of the step. Never returns. */
_Noreturn void init_main(const struct spec *spec, int root_fd, int alive_fd, const struct streams *streams);
/* Turns this process into the step's command. Never returns. */
_Noreturn void exec_command(const struct spec *spec, const struct streams *streams);

/* Docker's default set, or everything the bounding set holds. */
uint64_t step_capabilities(bool insecure);
void limit_bounding_set(uint64_t keep);
void set_capabilities(uint64_t effective);
bool have_capability(int capability);
void drop_all_but_kill(void);

void install_seccomp(void);
void loopback_up(void);

/* Opens a terminal in the devpts at /dev of the root: the master; *slave gets the other end. */
int open_terminal(int root_fd, int *slave);
void copy_window_size(int from, int to);
void raw_mode(int fd);
void restore_terminal(void);

#endif
