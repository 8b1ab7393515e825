/* A network namespace of its own has a loopback interface that is down; docker's `none` has it up. */
#include "helper.h"

#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

void loopback_up(void) {
  struct ifreq request = {.ifr_name = "lo"};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) != 0) {
    fail("host", 1, "cannot read the loopback interface: %s", strerror(errno));
  }
  request.ifr_flags |= IFF_UP;
  if (ioctl(fd, SIOCSIFFLAGS, &request) != 0) fail("host", 1, "cannot bring loopback up: %s", strerror(errno));
  close(fd);
}
