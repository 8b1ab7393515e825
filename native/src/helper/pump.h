/* Carries bytes from one descriptor to another without ever blocking the process. */
#ifndef TSBUILD_PUMP_H
#define TSBUILD_PUMP_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

struct pump {
  bool active;
  int in, out;
  char *buffer;
  size_t start, end;
};

void pump_start(struct pump *pump, int in, int out);
/* What to wait for: input while the buffer is empty, room for output otherwise. */
struct pollfd pump_poll(const struct pump *pump);
void pump_move(struct pump *pump);
/* True when the input has ended and everything was handed on (or was never started). */
bool pump_done(const struct pump *pump);

#endif
