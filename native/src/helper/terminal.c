/* Terminals: one inside the step's own devpts, and the user's in raw mode meanwhile. */
#include "helper.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441
#endif

static int raw_fd = -1;
static struct termios saved;

int open_terminal(int root_fd, int *slave) {
  int unlock = 0;
  int pts = open_in_root(root_fd, "/dev/pts", O_DIRECTORY);
  int master = pts < 0 ? -1 : openat(pts, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
  *slave = -1;
  if (master >= 0 && ioctl(master, TIOCSPTLCK, &unlock) == 0) {
    *slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  }
  if (*slave < 0) fail("host", 1, "cannot open a terminal: %s", strerror(errno));
  close(pts);
  return master;
}

void copy_window_size(int from, int to) {
  struct winsize size;
  if (ioctl(from, TIOCGWINSZ, &size) == 0) ioctl(to, TIOCSWINSZ, &size);
}

void raw_mode(int fd) {
  if (tcgetattr(fd, &saved) != 0) return;
  struct termios raw = saved;
  cfmakeraw(&raw);
  if (tcsetattr(fd, TCSANOW, &raw) == 0) raw_fd = fd;
}

void restore_terminal(void) {
  if (raw_fd >= 0) tcsetattr(raw_fd, TCSANOW, &saved);
  raw_fd = -1;
}
