/* hashFiles: sha256 of many files on all cores, each maybe with a header before its data. */
#include "addon.h"

enum { CHUNK = 256 * 1024 };

struct hash_job {
  struct job job;
  int root;
  char **names;
  uint32_t count;
  uint8_t *digests;
  /* Where each file's header begins, and the end of the last one, in bytes; NULL: no headers. */
  size_t *offsets;
  uint8_t *headers;
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
  if (hash->offsets != NULL) {
    const size_t *at = hash->offsets + index;
    sha256_update(&state, hash->headers + at[0], at[1] - at[0]);
  }
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
  free(hash->offsets);
  free(hash->headers);
  free_paths(hash->names);
  free(hash);
}

/* Copies an array of as many Buffers as there are files. False with an exception thrown. */
static bool copy_headers(napi_env env, napi_value list, struct hash_job *hash) {
  uint32_t length = 0;
  if (napi_get_array_length(env, list, &length) != napi_ok || length != hash->count) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "a header for each file is expected");
    return false;
  }
  hash->offsets = calloc((size_t)length + 1, sizeof *hash->offsets);
  if (hash->offsets == NULL) return throw_errno(env, "malloc", NULL) != NULL;
  /* Twice over: how much there is, and what. */
  for (int pass = 0; pass < 2; pass++) {
    size_t used = 0;
    for (uint32_t i = 0; i < length; i++) {
      napi_value item;
      void *data = NULL;
      size_t size = 0;
      if (napi_get_element(env, list, i, &item) != napi_ok ||
          napi_get_buffer_info(env, item, &data, &size) != napi_ok) {
        napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "a Buffer is expected");
        return false;
      }
      hash->offsets[i] = used;
      if (pass == 1 && size > 0) memcpy(hash->headers + used, data, size);
      used += size;
    }
    hash->offsets[length] = used;
    if (pass == 1) break;
    hash->headers = malloc(used + 1);
    if (hash->headers == NULL) return throw_errno(env, "malloc", NULL) != NULL;
  }
  return true;
}

EXPORTED(js_hash_files) {
  napi_value argv[4];
  int32_t root;
  uint32_t count;
  if (!read_args(env, info, 4, argv) || !read_int(env, argv[0], &root)) return NULL;
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
  if (!is_undefined(env, argv[3]) && !copy_headers(env, argv[3], hash)) {
    release(&hash->job);
    return NULL;
  }
  return start_job(env, &hash->job, "hashFiles", argv[2]);
}
