/*
 * copyFiles: many files, links and devices from one tree into another, on all cores.
 *
 * First every source is looked at; names of one inode are put together, the first one is copied, the others
 * become hard links of its copy afterwards.
 */
#include "copy-data.h"

#include <sys/sysmacros.h>
#include <sys/xattr.h>

struct item {
  char *source, *destination;
  struct statx st;
  /* Index + 1 of the item that this one becomes a hard link of; 0: it is copied. */
  uint32_t link_of;
};

/* The directory a worker used last, on either side; neighbouring items mostly share it. */
struct place {
  int fd;
  char directory[LONG_PATH_MAX];
};

struct copy_job {
  struct job job;
  int source_root, destination_root;
  struct item *items;
  uint32_t count;
  bool set_owner_uid, set_owner_gid, set_mode, xattrs;
  uint32_t uid, gid, mode;
  struct place *from[MAX_WORKERS], *to[MAX_WORKERS];
};

static struct place *new_place(void) {
  struct place *place = calloc(1, sizeof *place);
  if (place != NULL) place->fd = -1;
  return place;
}

static void free_place(struct place *place) {
  if (place == NULL) return;
  if (place->fd >= 0) close(place->fd);
  free(place);
}

/* Descriptor of the path's directory and its last name. -1 with errno. */
static int locate(struct place **slot, int root, const char *path, const char **name) {
  if (*slot == NULL) *slot = new_place();
  struct place *place = *slot;
  if (place == NULL) return -1;
  while (*path == '/') path++;
  const char *slash = strrchr(path, '/');
  *name = slash == NULL ? path : slash + 1;
  size_t length = slash == NULL ? 0 : (size_t)(slash - path);
  if (length >= sizeof place->directory) {
    errno = ENAMETOOLONG;
    return -1;
  }
  if (place->fd >= 0 && strlen(place->directory) == length && memcmp(place->directory, path, length) == 0) {
    return place->fd;
  }
  if (place->fd >= 0) close(place->fd);
  memcpy(place->directory, path, length);
  place->directory[length] = '\0';
  place->fd = sys_openat2(root, length == 0 ? "." : place->directory, O_PATH | O_DIRECTORY, 0,
                          RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
  return place->fd;
}

static void look_at(void *context, int worker, size_t index) {
  struct copy_job *copy = context;
  struct item *item = &copy->items[index];
  const char *name;
  int dirfd = locate(&copy->from[worker], copy->source_root, item->source, &name);
  if (dirfd < 0 || sys_statx(dirfd, name, &item->st) < 0) fail_job(&copy->job, errno, "statx", item->source);
}

static bool skipped_attribute(int error) {
  return error == ENOTSUP || error == EPERM || error == EACCES;
}

/* user.overlay.* are overlayfs' own books about another tree. */
static bool wanted_attribute(const char *name) {
  if (strcmp(name, "security.capability") == 0) return true;
  return strncmp(name, "user.", 5) == 0 && strncmp(name, "user.overlay.", 13) != 0;
}

/* security.capability and user.* of an open file; a file system that cannot hold them is no failure. */
static int copy_attributes(int source, int destination) {
  struct attributes list;
  int result = 0;
  if (list_attributes(source, "", &list) < 0) return skipped_attribute(errno) ? 0 : -1;
  for (size_t i = 0; i < list.count && result == 0; i++) {
    const struct attribute *item = &list.items[i];
    if (!wanted_attribute(item->name)) continue;
    if (RETRY(fsetxattr(destination, item->name, item->value, item->size, 0)) < 0 && !skipped_attribute(errno)) {
      result = -1;
    }
  }
  int saved = errno;
  free_attributes(&list);
  errno = saved;
  return result;
}

static mode_t mode_of(const struct copy_job *copy, const struct item *item) {
  return (copy->set_mode ? copy->mode : item->st.stx_mode) & 07777;
}

static int copy_regular(struct copy_job *copy, struct item *item, int from, const char *name, int to,
                        const char *new_name, const struct timespec times[2], uid_t uid, gid_t gid) {
  int source = (int)RETRY(openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (source < 0) return -1;
  int destination = (int)RETRY(openat(to, new_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  int result = -1;
  if (destination >= 0) {
    result = copy_file_data(&copy->job, source, destination) < 0 ? -1 : 0;
    if (result == 0) result = (int)RETRY(fchown(destination, uid, gid));
    if (result == 0) result = (int)RETRY(fchmod(destination, mode_of(copy, item)));
    if (result == 0 && copy->xattrs) result = copy_attributes(source, destination);
    if (result == 0) result = (int)RETRY(futimens(destination, times));
  }
  int saved = errno;
  close(source);
  if (destination >= 0) close(destination);
  errno = saved;
  return result;
}

static int copy_special(struct copy_job *copy, struct item *item, int from, const char *name, int to,
                        const char *new_name) {
  mode_t type = item->st.stx_mode & S_IFMT;
  if (type == S_IFLNK) {
    char target[PATH_MAX + 1];
    ssize_t length = RETRY(readlinkat(from, name, target, PATH_MAX));
    if (length < 0) return -1;
    target[length] = '\0';
    return (int)RETRY(symlinkat(target, to, new_name));
  }
  dev_t device = type == S_IFIFO ? 0 : makedev(item->st.stx_rdev_major, item->st.stx_rdev_minor);
  return (int)RETRY(mknodat(to, new_name, type | mode_of(copy, item), device));
}

static void copy_one(void *context, int worker, size_t index) {
  struct copy_job *copy = context;
  struct item *item = &copy->items[index];
  const struct statx *st = &item->st;
  const char *name, *new_name;
  if (item->link_of != 0 || S_ISSOCK(st->stx_mode)) return;
  int from = locate(&copy->from[worker], copy->source_root, item->source, &name);
  if (from < 0) {
    fail_job(&copy->job, errno, "openat2", item->source);
    return;
  }
  int to = locate(&copy->to[worker], copy->destination_root, item->destination, &new_name);
  if (to < 0) {
    fail_job(&copy->job, errno, "openat2", item->destination);
    return;
  }
  const struct timespec times[2] = {
      {.tv_sec = st->stx_atime.tv_sec, .tv_nsec = st->stx_atime.tv_nsec},
      {.tv_sec = st->stx_mtime.tv_sec, .tv_nsec = st->stx_mtime.tv_nsec},
  };
  uid_t uid = copy->set_owner_uid ? copy->uid : st->stx_uid;
  gid_t gid = copy->set_owner_gid ? copy->gid : st->stx_gid;
  int result;
  if (S_ISREG(st->stx_mode)) {
    result = copy_regular(copy, item, from, name, to, new_name, times, uid, gid);
  } else if (S_ISDIR(st->stx_mode)) {
    errno = EISDIR;
    result = -1;
  } else {
    result = copy_special(copy, item, from, name, to, new_name);
    if (result == 0) result = (int)RETRY(fchownat(to, new_name, uid, gid, AT_SYMLINK_NOFOLLOW));
    /* chown takes setuid bits away, and mknod obeys the umask. */
    if (result == 0) result = set_mode(to, new_name, mode_of(copy, item));
    if (result == 0) result = (int)RETRY(utimensat(to, new_name, times, AT_SYMLINK_NOFOLLOW));
  }
  if (result < 0) fail_job(&copy->job, errno, "copy", item->destination);
}

static void link_one(void *context, int worker, size_t index) {
  struct copy_job *copy = context;
  struct item *item = &copy->items[index];
  const char *name, *new_name;
  if (item->link_of == 0 || S_ISSOCK(item->st.stx_mode)) return;
  const struct item *first = &copy->items[item->link_of - 1];
  int from = locate(&copy->from[worker], copy->destination_root, first->destination, &name);
  int to = locate(&copy->to[worker], copy->destination_root, item->destination, &new_name);
  if (from < 0 || to < 0 || RETRY(linkat(from, name, to, new_name, 0)) < 0) {
    fail_job(&copy->job, errno, "linkat", item->destination);
  }
}

struct inode {
  uint64_t device, number;
  uint32_t index;
};

static int compare_inodes(const void *left, const void *right) {
  const struct inode *a = left, *b = right;
  if (a->device != b->device) return a->device < b->device ? -1 : 1;
  if (a->number != b->number) return a->number < b->number ? -1 : 1;
  return a->index < b->index ? -1 : a->index > b->index;
}

/* Names of one inode are linked to the first of them. Returns the number of links. */
static size_t find_links(struct copy_job *copy) {
  struct inode *inodes = malloc(((size_t)copy->count + 1) * sizeof *inodes);
  size_t count = 0, links = 0;
  if (inodes == NULL) {
    fail_job(&copy->job, ENOMEM, "malloc", NULL);
    return 0;
  }
  for (uint32_t i = 0; i < copy->count; i++) {
    const struct statx *st = &copy->items[i].st;
    if (st->stx_nlink < 2 || S_ISDIR(st->stx_mode)) continue;
    uint64_t device = (uint64_t)st->stx_dev_major << 32 | st->stx_dev_minor;
    inodes[count++] = (struct inode){.device = device, .number = st->stx_ino, .index = i};
  }
  qsort(inodes, count, sizeof *inodes, compare_inodes);
  for (size_t first = 0, i = 1; i < count; i++) {
    if (inodes[i].device == inodes[first].device && inodes[i].number == inodes[first].number) {
      copy->items[inodes[i].index].link_of = inodes[first].index + 1;
      links++;
    } else {
      first = i;
    }
  }
  free(inodes);
  return links;
}

static void forget_places(struct copy_job *copy) {
  for (int i = 0; i < MAX_WORKERS; i++) {
    free_place(copy->from[i]);
    free_place(copy->to[i]);
    copy->from[i] = copy->to[i] = NULL;
  }
}

static void run(struct job *job) {
  struct copy_job *copy = (struct copy_job *)job;
  parallel(job, copy->count, look_at, copy);
  if (job_stopped(job)) return;
  size_t links = find_links(copy);
  parallel(job, copy->count, copy_one, copy);
  if (links == 0 || job_stopped(job)) return;
  /* From here on the "from" side is a place of the destination tree. */
  forget_places(copy);
  parallel(job, copy->count, link_one, copy);
}

static void release(struct job *job) {
  struct copy_job *copy = (struct copy_job *)job;
  forget_places(copy);
  for (uint32_t i = 0; i < copy->count; i++) {
    free(copy->items[i].source);
    free(copy->items[i].destination);
  }
  free(copy->items);
  free(copy);
}

static bool read_option(napi_env env, napi_value options, const char *name, bool *given, uint32_t *out) {
  napi_value value;
  if (napi_get_named_property(env, options, name, &value) != napi_ok) return false;
  *given = !is_undefined(env, value);
  return !*given || read_uint(env, value, out);
}

static bool read_item(napi_env env, napi_value array, uint32_t index, struct item *out) {
  napi_handle_scope scope;
  napi_value item, source, destination;
  napi_open_handle_scope(env, &scope);
  bool ok = napi_get_element(env, array, index, &item) == napi_ok &&
            napi_get_named_property(env, item, "source", &source) == napi_ok &&
            napi_get_named_property(env, item, "destination", &destination) == napi_ok &&
            (out->source = copy_path(env, source)) != NULL && (out->destination = copy_path(env, destination)) != NULL;
  napi_close_handle_scope(env, scope);
  return ok;
}

EXPORTED(js_copy_files) {
  napi_value argv[5], xattrs;
  uint32_t count = 0;
  if (!read_args(env, info, 5, argv)) return NULL;
  struct copy_job *copy = calloc(1, sizeof *copy);
  if (copy == NULL) return throw_errno(env, "malloc", NULL);
  copy->job = (struct job){.run = run, .release = release};
  bool ok = read_int(env, argv[0], &copy->source_root) && read_int(env, argv[1], &copy->destination_root) &&
            napi_get_array_length(env, argv[2], &count) == napi_ok &&
            read_option(env, argv[3], "uid", &copy->set_owner_uid, &copy->uid) &&
            read_option(env, argv[3], "gid", &copy->set_owner_gid, &copy->gid) &&
            read_option(env, argv[3], "mode", &copy->set_mode, &copy->mode) &&
            napi_get_named_property(env, argv[3], "xattrs", &xattrs) == napi_ok &&
            read_bool(env, xattrs, &copy->xattrs);
  if (ok) {
    copy->items = calloc((size_t)count + 1, sizeof *copy->items);
    ok = copy->items != NULL;
    copy->count = ok ? count : 0;
  }
  for (uint32_t i = 0; ok && i < count; i++) ok = read_item(env, argv[2], i, &copy->items[i]);
  if (ok) return start_job(env, &copy->job, "copyFiles", argv[4]);
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending) napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "copyFiles: bad arguments");
  release(&copy->job);
  return NULL;
}
