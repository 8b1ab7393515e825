/*
 * tsbuild-helper launch -- COMMAND: gives this process a mount namespace of its own, and where it is not root a user
 * namespace with all ids the user may use, then becomes the command. The process id stays, so signals and waits of
 * the caller work as if the command had been started directly.
 */
#include "helper.h"
#include "host.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void refuse(const char *what, int error, const char *hint) {
  fprintf(stderr, "tsbuild: %s: %s\n", what, strerror(error));
  if (hint != NULL) fprintf(stderr, "%s\n", hint);
  exit(125);
}

/* mount(2): propagation can only be set on a mount point, which the root of a plain chroot(2) is not. */
static const char chroot_hint[] =
    "The root folder is not a mount point: this seems to be a plain chroot. Steps need a root they can pivot from;\n"
    "make it a mount before entering it, with\n"
    "  mount --bind ROOT ROOT && unshare -m sh -c 'cd ROOT && pivot_root . mnt && umount -l /mnt && exec COMMAND'\n"
    "or enter it with a container tool (systemd-nspawn, bubblewrap).";

static void private_mounts(const char *hint) {
  if (unshare(CLONE_NEWNS) != 0) refuse("cannot make a mount namespace", errno, hint);
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
    if (errno == EINVAL) refuse("cannot make mounts private", errno, chroot_hint);
    refuse("cannot make mounts private", errno, hint != NULL ? hint : userns_hint());
  }
}

static void launch_as_root(void) {
  struct id_map map;
  read_id_map("/proc/self/uid_map", &map);
  if (!map.identity) setenv("TSBUILD_USERNS", "1", 1);
  if (map.ids == 1) setenv("TSBUILD_SINGLE_ID", "1", 1);
  private_mounts("Inside a container: its seccomp profile forbids unshare; start it with "
                 "--security-opt seccomp=unconfined (docker) or use a builder that is allowed to.");
}

/*
 * The mapper is a child outside of the new user namespace: newuidmap must be called from the parent namespace.
 * It waits for a byte, maps its parent, and ends with 0, or 1 where a tool failed.
 */
static int mapper_main(pid_t target, int start_fd, const struct subordinate_ids *ids) {
  char byte;
  if (read(start_fd, &byte, 1) != 1) return 1;
  return run_mapping_tool(ids->newuidmap, target, getuid(), &ids->uids) == 0 &&
                 run_mapping_tool(ids->newgidmap, target, getgid(), &ids->gids) == 0
             ? 0
             : 1;
}

static void write_single_map(const char *path, unsigned id) {
  char text[32];
  snprintf(text, sizeof text, "0 %u 1\n", id);
  if (!write_file(path, text)) refuse(path, errno, userns_hint());
}

static void map_single(uid_t uid, gid_t gid) {
  write_single_map("/proc/self/uid_map", uid);
  /* An unprivileged process may map its group only after giving up setgroups (user_namespaces(7)). */
  write_file("/proc/self/setgroups", "deny");
  write_single_map("/proc/self/gid_map", gid);
  setenv("TSBUILD_SINGLE_ID", "1", 1);
}

static void launch_in_userns(void) {
  uid_t uid = getuid();
  gid_t gid = getgid();
  struct subordinate_ids ids;
  find_subordinate_ids(&ids);
  bool ranges = ids.missing == NULL;
  int start[2];
  if (pipe2(start, O_CLOEXEC) != 0) refuse("cannot make a pipe", errno, NULL);
  pid_t self = getpid();
  pid_t mapper = ranges ? fork() : -1;
  if (ranges && mapper < 0) refuse("cannot start a process", errno, NULL);
  if (mapper == 0) {
    close(start[1]);
    _exit(mapper_main(self, start[0], &ids));
  }
  if (unshare(CLONE_NEWUSER) != 0) refuse("cannot make a user namespace", errno, userns_hint());
  close(start[0]);
  if (ranges) {
    int status = 0;
    if (write(start[1], "", 1) != 1) refuse("cannot start the id mapper", errno, NULL);
    while (waitpid(mapper, &status, 0) < 0 && errno == EINTR) continue;
    ranges = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!ranges) ids.missing = "newuidmap or newgidmap failed (its message is above)";
  }
  close(start[1]);
  if (!ranges) {
    struct id_map map;
    read_id_map("/proc/self/uid_map", &map);
    if (map.ids > 0) refuse("newgidmap failed after newuidmap had worked", EPERM, "Check /etc/subgid against /etc/subuid.");
    fprintf(stderr, "tsbuild: only your own user id is available in build steps: %s. Steps that change owners or "
                    "users will fail.\n", ids.missing);
    if (ids.hint[0] != '\0') fprintf(stderr, "tsbuild: %s\n", ids.hint);
    map_single(uid, gid);
  }
  if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0) refuse("cannot become root of the user namespace", errno, NULL);
  setenv("TSBUILD_USERNS", "1", 1);
  private_mounts(NULL);
}

int launch_main(int argc, char **argv) {
  if (argc < 4 || strcmp(argv[2], "--") != 0) {
    fprintf(stderr, "usage: tsbuild-helper launch -- COMMAND [ARG...]\n");
    return 2;
  }
  unsetenv("TSBUILD_USERNS");
  unsetenv("TSBUILD_SINGLE_ID");
  if (geteuid() == 0 && have_capability(CAP_SYS_ADMIN)) launch_as_root();
  else launch_in_userns();
  setenv("TSBUILD_LAUNCHED", "1", 1);
  execvp(argv[3], argv + 3);
  int error = errno;
  fprintf(stderr, "tsbuild: cannot start %s: %s\n", argv[3], strerror(error));
  return error == ENOENT ? 127 : 126;
}
