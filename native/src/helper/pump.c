/* See pump.h. Where the reader has gone, bytes are dropped, so that the writer is not held up. */
#include "pump.h"
#include "helper.h"

#include <fcntl.h>
#include <unistd.h>

enum { BUFFER_BYTES = 65536 };

static void set_nonblocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  if (flags >= 0) fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

void pump_start(struct pump *pump, int in, int out) {
  *pump = (struct pump){.active = true, .in = in, .out = out, .buffer = xmalloc(BUFFER_BYTES)};
  /* A terminal's description is shared with the user's shell and must stay as it is: poll comes first there. */
  if (!isatty(in)) set_nonblocking(in);
  if (!isatty(out)) set_nonblocking(out);
}

struct pollfd pump_poll(const struct pump *pump) {
  if (!pump->active) return (struct pollfd){.fd = -1};
  bool holds = pump->end > pump->start;
  return (struct pollfd){.fd = holds ? pump->out : pump->in, .events = holds ? POLLOUT : POLLIN};
}

void pump_move(struct pump *pump) {
  if (pump->end == pump->start) {
    ssize_t got = read(pump->in, pump->buffer, BUFFER_BYTES);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    /* EIO: the other end of a terminal was closed. */
    if (got <= 0) {
      pump->active = false;
      return;
    }
    pump->start = 0;
    pump->end = (size_t)got;
  }
  ssize_t wrote = write(pump->out, pump->buffer + pump->start, pump->end - pump->start);
  if (wrote < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (wrote < 0) pump->start = pump->end;
  else pump->start += (size_t)wrote;
}

bool pump_done(const struct pump *pump) { return !pump->active; }
