/* removeTree: rm -rf by descriptor, which no link and no mount can lead astray. */
#include "addon.h"

/* A directory that is being emptied; on the heap, since untrusted trees may be as deep as they like. */
struct level {
  int fd;
  struct name_list names;
  size_t next;
};

struct remove_job {
  struct job job;
  int dirfd;
  char *name;
  struct level *levels;
  size_t depth, size;
};

/* Opens a directory for emptying it; takes the bits that a hostile mode denies (we own the tree). */
static int open_directory(int dirfd, const char *name) {
  const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  int fd = (int)RETRY(openat(dirfd, name, flags));
  if (fd >= 0 || errno != EACCES) return fd;
  if (set_mode(dirfd, name, 0700) < 0) return -1;
  return (int)RETRY(openat(dirfd, name, flags));
}

static int push(struct remove_job *remove, int dirfd, const char *name) {
  if (remove->depth == remove->size) {
    size_t size = remove->size == 0 ? 16 : remove->size * 2;
    struct level *levels = realloc(remove->levels, size * sizeof *levels);
    if (levels == NULL) return -1;
    remove->levels = levels;
    remove->size = size;
  }
  struct level level = {.fd = open_directory(dirfd, name)};
  if (level.fd < 0) return -1;
  if (list_names(level.fd, &level.names) < 0) {
    int saved = errno;
    close(level.fd);
    errno = saved;
    return -1;
  }
  remove->levels[remove->depth++] = level;
  return 0;
}

static void pop(struct remove_job *remove) {
  struct level *level = &remove->levels[--remove->depth];
  close(level->fd);
  free_names(&level->names);
}

/* Removes a name, or enters it where it is a directory that has to be emptied first. -1 with errno. */
static int take(struct remove_job *remove, const struct statx *root, int dirfd, const char *name) {
  struct statx st;
  if (RETRY(unlinkat(dirfd, name, 0)) == 0 || errno == ENOENT) return 0;
  if (errno == EACCES && remove->depth > 0) {
    if (set_mode(dirfd, "", 0700) == 0 && RETRY(unlinkat(dirfd, name, 0)) == 0) return 0;
  }
  if (errno != EISDIR && errno != EPERM) return -1;
  int saved = errno;
  if (sys_statx(dirfd, name, &st) < 0) return -1;
  if (!S_ISDIR(st.stx_mode)) {
    errno = saved;
    return -1;
  }
  if (st.stx_mask & root->stx_mask & STATX_MNT_ID && st.stx_mnt_id != root->stx_mnt_id) {
    errno = EXDEV;
    return -1;
  }
  if (RETRY(unlinkat(dirfd, name, AT_REMOVEDIR)) == 0) return 0;
  return push(remove, dirfd, name);
}

static void run(struct job *job) {
  struct remove_job *remove = (struct remove_job *)job;
  struct statx first;
  if (sys_statx(remove->dirfd, remove->name, &first) < 0) {
    if (errno != ENOENT) fail_job(job, errno, "statx", remove->name);
    return;
  }
  if (take(remove, &first, remove->dirfd, remove->name) < 0) {
    fail_job(job, errno, "unlinkat", remove->name);
    return;
  }
  while (remove->depth > 0) {
    struct level *top = &remove->levels[remove->depth - 1];
    if (top->next < top->names.count) {
      const char *name = top->names.sorted[top->next++] + 1;
      if (take(remove, &first, top->fd, name) < 0) {
        fail_job(job, errno, "unlinkat", name);
        return;
      }
      continue;
    }
    pop(remove);
    struct level *parent = remove->depth == 0 ? NULL : &remove->levels[remove->depth - 1];
    int dirfd = parent == NULL ? remove->dirfd : parent->fd;
    const char *name = parent == NULL ? remove->name : parent->names.sorted[parent->next - 1] + 1;
    if (RETRY(unlinkat(dirfd, name, AT_REMOVEDIR)) < 0 && errno != ENOENT) {
      fail_job(job, errno, "unlinkat", name);
      return;
    }
  }
}

static void release(struct job *job) {
  struct remove_job *remove = (struct remove_job *)job;
  while (remove->depth > 0) pop(remove);
  free(remove->levels);
  free(remove->name);
  free(remove);
}

EXPORTED(js_remove_tree) {
  napi_value argv[2];
  int32_t dirfd;
  struct path name;
  if (!read_args(env, info, 2, argv) || !read_int(env, argv[0], &dirfd) || !read_name(env, dirfd, argv[1], &name)) {
    return NULL;
  }
  if (name.length == 0 || strcmp(name.bytes, ".") == 0) {
    errno = EINVAL;
    return throw_errno(env, "removeTree", name.bytes);
  }
  struct remove_job *remove = calloc(1, sizeof *remove);
  if (remove == NULL) return throw_errno(env, "malloc", NULL);
  remove->job = (struct job){.run = run, .release = release};
  remove->dirfd = dirfd;
  remove->name = strdup(name.bytes);
  if (remove->name == NULL) {
    release(&remove->job);
    return throw_errno(env, "malloc", NULL);
  }
  return start_job(env, &remove->job, "removeTree", NULL);
}
