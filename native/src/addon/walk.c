/* walk: everything below a directory, with its metadata, in one go. */
#include "addon.h"

struct found {
  char *path;
  char *link; /* NULL: no symbolic link */
  struct statx st;
  struct attributes attributes;
};

/* A directory that is being walked. Kept on the heap: untrusted trees may be as deep as they like. */
struct level {
  int fd;
  size_t path_length;
  struct name_list names;
  size_t next;
};

struct walk_job {
  struct job job;
  int root;
  char *start;
  bool xattrs, cross_mounts;
  char **prune;
  uint32_t prune_count;
  struct found *found;
  size_t count, size;
  struct level *levels;
  size_t depth, depth_size;
  char *path; /* of the current level, relative; not terminated */
  size_t path_size;
};

static bool same_mount(const struct statx *a, const struct statx *b) {
  if (a->stx_mask & b->stx_mask & STATX_MNT_ID) return a->stx_mnt_id == b->stx_mnt_id;
  return a->stx_dev_major == b->stx_dev_major && a->stx_dev_minor == b->stx_dev_minor;
}

static bool is_pruned(const struct walk_job *walk, const char *path) {
  for (uint32_t i = 0; i < walk->prune_count; i++) {
    if (strcmp(walk->prune[i], path) == 0) return true;
  }
  return false;
}

static int push(struct walk_job *walk, int fd, size_t path_length) {
  if (walk->depth == walk->depth_size) {
    size_t size = walk->depth_size == 0 ? 16 : walk->depth_size * 2;
    struct level *levels = realloc(walk->levels, size * sizeof *levels);
    if (levels == NULL) return -1;
    walk->levels = levels;
    walk->depth_size = size;
  }
  struct level level = {.fd = fd, .path_length = path_length};
  if (list_names(fd, &level.names) < 0) return -1;
  walk->levels[walk->depth++] = level;
  return 0;
}

static void pop(struct walk_job *walk) {
  struct level *level = &walk->levels[--walk->depth];
  close(level->fd);
  free_names(&level->names);
}

static struct found *add_found(struct walk_job *walk) {
  if (walk->count == walk->size) {
    size_t size = walk->size == 0 ? 256 : walk->size * 2;
    struct found *found = realloc(walk->found, size * sizeof *found);
    if (found == NULL) return NULL;
    walk->found = found;
    walk->size = size;
  }
  struct found *entry = &walk->found[walk->count++];
  *entry = (struct found){0};
  return entry;
}

static int read_link(int dirfd, const char *name, char **out) {
  char target[PATH_MAX + 1];
  ssize_t length = RETRY(readlinkat(dirfd, name, target, PATH_MAX));
  if (length < 0) return -1;
  target[length] = '\0';
  *out = strdup(target);
  return *out == NULL ? -1 : 0;
}

/* Path of a name in the current directory, kept in walk->path. Returns its length, 0 with errno set. */
static size_t set_path(struct walk_job *walk, size_t prefix, const char *name) {
  size_t length = strlen(name);
  size_t needed = prefix + 1 + length + 1;
  if (needed > walk->path_size) {
    char *path = realloc(walk->path, needed * 2);
    if (path == NULL) return 0;
    walk->path = path;
    walk->path_size = needed * 2;
  }
  size_t at = prefix;
  if (prefix > 0) walk->path[at++] = '/';
  memcpy(walk->path + at, name, length + 1);
  return at + length;
}

/* The name that was found last is gone again: as if it had never been there. */
static int forget(struct walk_job *walk) {
  struct found *entry = &walk->found[--walk->count];
  free(entry->path);
  free(entry->link);
  free_attributes(&entry->attributes);
  return 0;
}

/* Reports one name of the top directory and enters it where it is a directory to be walked. -1 with errno. */
static int visit(struct walk_job *walk, const struct statx *root, const char *name, const char **syscall_name) {
  int dirfd = walk->levels[walk->depth - 1].fd;
  size_t length = set_path(walk, walk->levels[walk->depth - 1].path_length, name);
  struct found *entry = length == 0 ? NULL : add_found(walk);
  *syscall_name = "malloc";
  if (entry == NULL || (entry->path = strdup(walk->path)) == NULL) return -1;
  *syscall_name = "statx";
  if (sys_statx(dirfd, name, &entry->st) < 0) return errno == ENOENT ? forget(walk) : -1;
  *syscall_name = "readlinkat";
  if (S_ISLNK(entry->st.stx_mode) && read_link(dirfd, name, &entry->link) < 0) {
    return errno == ENOENT ? forget(walk) : -1;
  }
  *syscall_name = "listxattr";
  if (walk->xattrs && list_attributes(dirfd, name, &entry->attributes) < 0) return -1;
  if (!S_ISDIR(entry->st.stx_mode) || is_pruned(walk, walk->path)) return 0;
  if (!walk->cross_mounts && !same_mount(root, &entry->st)) return 0;
  *syscall_name = "openat";
  int fd = (int)RETRY(openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (fd < 0) return errno == ENOENT ? forget(walk) : -1;
  if (push(walk, fd, length) == 0) return 0;
  int saved = errno;
  close(fd);
  errno = saved;
  return -1;
}

static void run(struct job *job) {
  struct walk_job *walk = (struct walk_job *)job;
  struct statx root;
  const char *syscall_name = "openat2";
  int fd = sys_openat2(walk->root, *walk->start == '\0' ? "." : walk->start, O_RDONLY | O_DIRECTORY, 0,
                       walk->root == AT_FDCWD ? 0 : RESOLVE_IN_ROOT);
  if (fd < 0 || sys_statx(fd, "", &root) < 0 || push(walk, fd, 0) < 0) {
    fail_job(job, errno, syscall_name, walk->start);
    if (fd >= 0) close(fd);
    return;
  }
  while (walk->depth > 0) {
    struct level *top = &walk->levels[walk->depth - 1];
    if (top->next == top->names.count) {
      pop(walk);
      continue;
    }
    if (job_stopped(job)) return;
    const char *name = top->names.sorted[top->next++] + 1;
    if (visit(walk, &root, name, &syscall_name) < 0) {
      fail_job(job, errno, syscall_name, walk->path);
      return;
    }
  }
}

static napi_value make_entry(napi_env env, const struct found *found, bool xattrs) {
  napi_value entry = make_stat(env, &found->st);
  napi_set_named_property(env, entry, "path", make_buffer(env, found->path, strlen(found->path)));
  if (found->link != NULL) {
    napi_set_named_property(env, entry, "link", make_buffer(env, found->link, strlen(found->link)));
  }
  if (xattrs) napi_set_named_property(env, entry, "xattrs", make_attributes(env, &found->attributes));
  return entry;
}

static napi_value finish(napi_env env, struct job *job) {
  struct walk_job *walk = (struct walk_job *)job;
  napi_value array;
  napi_create_array_with_length(env, walk->count, &array);
  for (size_t i = 0; i < walk->count; i++) {
    napi_handle_scope scope;
    napi_open_handle_scope(env, &scope);
    napi_set_element(env, array, (uint32_t)i, make_entry(env, &walk->found[i], walk->xattrs));
    napi_close_handle_scope(env, scope);
  }
  return array;
}

static void release(struct job *job) {
  struct walk_job *walk = (struct walk_job *)job;
  while (walk->depth > 0) pop(walk);
  for (size_t i = 0; i < walk->count; i++) {
    free(walk->found[i].path);
    free(walk->found[i].link);
    free_attributes(&walk->found[i].attributes);
  }
  free(walk->found);
  free(walk->levels);
  free(walk->path);
  free(walk->start);
  free_paths(walk->prune);
  free(walk);
}

EXPORTED(js_walk) {
  napi_value argv[4], xattrs, cross_mounts, prune;
  if (!read_args(env, info, 4, argv)) return NULL;
  struct walk_job *walk = calloc(1, sizeof *walk);
  if (walk == NULL) return throw_errno(env, "malloc", NULL);
  walk->job = (struct job){.run = run, .finish = finish, .release = release};
  bool ok = read_int(env, argv[0], &walk->root) && (walk->start = copy_path(env, argv[1])) != NULL &&
            napi_get_named_property(env, argv[2], "xattrs", &xattrs) == napi_ok &&
            read_bool(env, xattrs, &walk->xattrs) &&
            napi_get_named_property(env, argv[2], "crossMounts", &cross_mounts) == napi_ok &&
            read_bool(env, cross_mounts, &walk->cross_mounts) &&
            napi_get_named_property(env, argv[2], "prune", &prune) == napi_ok;
  if (ok && !is_undefined(env, prune)) {
    walk->prune = copy_paths(env, prune, &walk->prune_count);
    ok = walk->prune != NULL;
  }
  if (ok) return start_job(env, &walk->job, "walk", argv[3]);
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending) napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "walk: bad arguments");
  release(&walk->job);
  return NULL;
}
