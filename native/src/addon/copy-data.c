/* Data of one file into another, as cheaply as the file system can. */
#include "copy-data.h"

#include <linux/fs.h>
#include <sys/ioctl.h>

enum { CHUNK = 1024 * 1024, SMALL = 64 * 1024 };

static int write_all(int fd, const char *data, size_t size, int64_t offset) {
  while (size > 0) {
    ssize_t put = RETRY(pwrite(fd, data, size, offset));
    if (put < 0) return -1;
    data += put;
    size -= (size_t)put;
    offset += put;
  }
  return 0;
}

/* Reads and writes [from, to) through memory. Returns where it ended: before `to` only at the end of the file. */
static int64_t copy_through_memory(struct job *job, int source, int destination, int64_t from, int64_t to) {
  size_t size = to - from < CHUNK ? (size_t)(to - from) : CHUNK;
  char *buffer = malloc(size == 0 ? 1 : size);
  if (buffer == NULL) return -1;
  while (from < to) {
    if (job_stopped(job)) {
      errno = ECANCELED;
      from = -1;
      break;
    }
    size_t want = to - from < (int64_t)size ? (size_t)(to - from) : size;
    ssize_t got = RETRY(pread(source, buffer, want, from));
    if (got == 0) break;
    if (got < 0 || write_all(destination, buffer, (size_t)got, from) < 0) {
      from = -1;
      break;
    }
    from += got;
  }
  free(buffer);
  return from;
}

/* Whether copy_file_range cannot serve this pair of files at all. */
static bool not_possible(int error) {
  return error == EXDEV || error == EINVAL || error == ENOSYS || error == EOPNOTSUPP || error == EPERM ||
         error == EBADF || error == ETXTBSY;
}

static int64_t copy_range(struct job *job, int source, int destination, int64_t from, int64_t to) {
  while (from < to) {
    if (job_stopped(job)) {
      errno = ECANCELED;
      return -1;
    }
    int64_t in = from, out = from;
    /* In pieces, so that a cancelled build does not wait for a whole disk image. */
    size_t want = to - from < 64 * CHUNK ? (size_t)(to - from) : 64 * CHUNK;
    long got = RETRY(syscall(SYS_copy_file_range, source, &in, destination, &out, want, 0));
    /* 0 before the end: some file systems (procfs, old FUSE) say so instead of an error. */
    if (got == 0 || (got < 0 && not_possible(errno))) {
      return copy_through_memory(job, source, destination, from, to);
    }
    if (got < 0) return -1;
    from += got;
  }
  return from;
}

int64_t copy_file_data(struct job *job, int source, int destination) {
  struct stat st;
  if (fstat(source, &st) < 0) return -1;
  int64_t size = st.st_size;
  bool sparse = st.st_blocks * 512 < size;
  if (size <= SMALL && !sparse) {
    int64_t end = copy_through_memory(job, source, destination, 0, size);
    return end;
  }
  if (RETRY(ioctl(destination, FICLONE, source)) == 0) return size;
  int64_t at = 0;
  while (at < size) {
    int64_t data = at, hole = size;
    if (sparse) {
      data = lseek(source, at, SEEK_DATA);
      if (data < 0 && errno == ENXIO) break;
      if (data < 0 && errno == EINVAL) data = at;
      if (data < 0) return -1;
      hole = lseek(source, data, SEEK_HOLE);
      if (hole < 0 || hole > size) hole = size;
    }
    int64_t end = copy_range(job, source, destination, data, hole);
    if (end < 0) return -1;
    /* The file became shorter while it was copied. */
    if (end < hole) return RETRY(ftruncate(destination, end)) < 0 ? -1 : end;
    at = hole;
  }
  if (sparse && RETRY(ftruncate(destination, size)) < 0) return -1;
  return size;
}

struct copy_data_job {
  struct job job;
  int source, destination;
  int64_t size;
};

static void run(struct job *job) {
  struct copy_data_job *copy = (struct copy_data_job *)job;
  copy->size = copy_file_data(job, copy->source, copy->destination);
  if (copy->size < 0) fail_job(job, errno, "copy", NULL);
}

static napi_value finish(napi_env env, struct job *job) {
  napi_value size;
  napi_create_double(env, (double)((struct copy_data_job *)job)->size, &size);
  return size;
}

static void release(struct job *job) {
  free(job);
}

EXPORTED(js_copy_data) {
  napi_value argv[3];
  int32_t source, destination;
  if (!read_args(env, info, 3, argv) || !read_int(env, argv[0], &source) || !read_int(env, argv[1], &destination)) {
    return NULL;
  }
  struct copy_data_job *copy = calloc(1, sizeof *copy);
  if (copy == NULL) return throw_errno(env, "malloc", NULL);
  *copy = (struct copy_data_job){
      .job = {.run = run, .finish = finish, .release = release},
      .source = source,
      .destination = destination,
  };
  return start_job(env, &copy->job, "copyData", argv[2]);
}
