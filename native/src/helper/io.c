/* Records on descriptors, reports of failure, and small files. */
#include "helper.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

int report_fd = -1;

void report_bytes(const char *key, const void *value, size_t length) {
  size_t key_length = strlen(key);
  char record[1 + 64 + 4 + 8192 + 1];
  if (length > 8192) length = 8192;
  char *end = record;
  *end++ = (char)key_length;
  end = mempcpy(end, key, key_length);
  for (int shift = 0; shift < 32; shift += 8) *end++ = (char)(length >> shift);
  end = mempcpy(end, value, length);
  *end++ = '\0';
  write_all(report_fd, record, (size_t)(end - record));
}

static void report_va(const char *key, const char *format, va_list arguments) {
  char text[8192];
  int length = vsnprintf(text, sizeof text, format, arguments);
  if (length < 0) return;
  report_bytes(key, text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
}

void report(const char *key, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  report_va(key, format, arguments);
  va_end(arguments);
}

void fail(const char *kind, int status, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  if (report_fd < 0) {
    vdprintf(2, format, arguments);
    _exit(125);
  }
  report("error.kind", "%s", kind);
  report("error.status", "%d", status);
  report_va("error.text", format, arguments);
  va_end(arguments);
  restore_terminal();
  _exit(125);
}

void *xrealloc(void *pointer, size_t size) {
  void *result = realloc(pointer, size);
  if (result == NULL) fail("host", 1, "out of memory");
  return result;
}

void *xmalloc(size_t size) {
  void *result = xrealloc(NULL, size);
  memset(result, 0, size);
  return result;
}

char *read_all(int fd, size_t limit, size_t *length) {
  size_t capacity = 65536, used = 0;
  char *buffer = xrealloc(NULL, capacity);
  for (;;) {
    ssize_t got = read(fd, buffer + used, capacity - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("spec", 1, "cannot read the specification: %s", strerror(errno));
    if (got == 0) break;
    used += (size_t)got;
    if (used > limit) fail("spec", 1, "the specification is larger than %zu bytes", limit);
    if (used == capacity) buffer = xrealloc(buffer, capacity *= 2);
  }
  *length = used;
  return buffer;
}

bool write_all(int fd, const void *data, size_t length) {
  const char *next = data;
  while (length > 0) {
    ssize_t wrote = write(fd, next, length);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return false;
    next += wrote;
    length -= (size_t)wrote;
  }
  return true;
}

bool write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool done = write_all(fd, text, strlen(text));
  int saved = errno;
  close(fd);
  errno = saved;
  return done;
}

bool read_file(const char *path, char *buffer, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  size_t used = 0;
  while (used < size - 1) {
    ssize_t got = read(fd, buffer + used, size - 1 - used);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    used += (size_t)got;
  }
  buffer[used] = '\0';
  close(fd);
  return true;
}

/* Calls close_range, or what does the same on kernels before 5.11. */
static void each_from(int first, bool cloexec) {
  if (sys_close_range((unsigned)first, ~0u, cloexec ? 4 /* CLOSE_RANGE_CLOEXEC */ : 0) == 0) return;
  struct rlimit limit = {0, 0};
  getrlimit(RLIMIT_NOFILE, &limit);
  for (int fd = first; (rlim_t)fd < limit.rlim_cur && fd < 1 << 20; fd++) {
    if (cloexec) fcntl(fd, F_SETFD, FD_CLOEXEC);
    else close(fd);
  }
}

void cloexec_from(int first) { each_from(first, true); }
void close_from(int first) { each_from(first, false); }
