/* hashFiles: sha256 of many files on all cores. */
#include "addon.h"

enum { CHUNK = 256 * 1024 };

struct hash_job {
  struct job job;
  int root;
  char **names;
  uint32_t count;
  uint8_t *digests;
  void *buffers[MAX_WORKERS];
};

static void hash_one(void *context, int worker, size_t index) {
  struct hash_job *hash = context;
  const char *name = hash->names[index];
  if (hash->buffers[worker] == NULL) hash->buffers[worker] = malloc(CHUNK);
  void *buffer = hash->buffers[worker];
  if (buffer == NULL) {
    fail_job(&hash->job, ENOMEM, "malloc", NULL);
    return;
  }
  /* O_NONBLOCK: a fifo that took the file's place must not stop the build. */
  int fd = sys_openat2(hash->root, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0,
                       RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
  if (fd < 0) {
    fail_job(&hash->job, errno, "openat2", name);
    return;
  }
  struct sha256 state;
  struct stat st;
  sha256_init(&state);
  ssize_t got = -1;
  if (fstat(fd, &st) == 0) {
    if (S_ISREG(st.st_mode)) got = 1;
    else errno = EINVAL;
  }
  while (got > 0 && !job_stopped(&hash->job)) {
    got = RETRY(read(fd, buffer, CHUNK));
    if (got > 0) sha256_update(&state, buffer, (size_t)got);
  }
  if (got < 0) fail_job(&hash->job, errno, "read", name);
  close(fd);
  sha256_final(&state, hash->digests + 32 * index);
}

static void run(struct job *job) {
  struct hash_job *hash = (struct hash_job *)job;
  parallel(job, hash->count, hash_one, hash);
}

static napi_value finish(napi_env env, struct job *job) {
  struct hash_job *hash = (struct hash_job *)job;
  return make_buffer(env, hash->digests, (size_t)hash->count * 32);
}

static void release(struct job *job) {
  struct hash_job *hash = (struct hash_job *)job;
  for (int i = 0; i < MAX_WORKERS; i++) free(hash->buffers[i]);
  free(hash->digests);
  free_paths(hash->names);
  free(hash);
}

EXPORTED(js_hash_files) {
  napi_value argv[3];
  int32_t root;
  uint32_t count;
  if (!read_args(env, info, 3, argv) || !read_int(env, argv[0], &root)) return NULL;
  char **names = copy_paths(env, argv[1], &count);
  if (names == NULL) return NULL;
  struct hash_job *hash = calloc(1, sizeof *hash);
  uint8_t *digests = malloc((size_t)count * 32 + 1);
  if (hash == NULL || digests == NULL) {
    free(hash);
    free(digests);
    free_paths(names);
    return throw_errno(env, "malloc", NULL);
  }
  *hash = (struct hash_job){
      .job = {.run = run, .finish = finish, .release = release},
      .root = root,
      .names = names,
      .count = count,
      .digests = digests,
  };
  return start_job(env, &hash->job, "hashFiles", argv[2]);
}
