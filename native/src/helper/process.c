/* Inside the step's namespaces: pid 1, which reaps and reports, and the command that it starts. */
#include "helper.h"

#include <ctype.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The words that docker's users know, which are those of Go: "no such file or directory". */
static const char *error_text(int error) {
  static char text[128];
  snprintf(text, sizeof text, "%s", strerror(error));
  text[0] = (char)tolower((unsigned char)text[0]);
  return text;
}

/* 0, or why the file cannot be executed. */
static int executable_error(const char *path) {
  struct stat status;
  if (stat(path, &status) != 0) return errno;
  if (S_ISDIR(status.st_mode)) return EISDIR;
  if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0) return errno;
  return (status.st_mode & 0111) != 0 ? 0 : EACCES;
}

static const char *value_of(const struct text_list *env, const char *name) {
  const char *value = NULL;
  size_t length = strlen(name);
  for (size_t i = 0; i < env->count; i++) {
    if (strncmp(env->items[i], name, length) == 0 && env->items[i][length] == '=') value = env->items[i] + length + 1;
  }
  return value;
}

/* Finds the command as docker's runtime does: by the step's PATH, inside the step. Errors are docker's words. */
static const char *find_command(const struct spec *spec) {
  static char path[PATH_MAX];
  const char *name = spec->args.items[0];
  if (strchr(name, '/') != NULL) {
    int error = executable_error(name);
    if (error == 0) return name;
    bool looked = error == EACCES || error == EISDIR;
    fail("exec", 1, looked ? "exec: \"%s\": %s%s" : "exec: \"%s\": stat %s: %s", name, looked ? "" : name,
         error_text(error));
  }
  const char *rest = value_of(&spec->env, "PATH");
  while (name[0] != '\0' && rest != NULL) {
    size_t length = strcspn(rest, ":");
    int size = snprintf(path, sizeof path, "%.*s/%s", length == 0 ? 1 : (int)length, length == 0 ? "." : rest, name);
    if (size > 0 && (size_t)size < sizeof path && executable_error(path) == 0) return path;
    rest = rest[length] == '\0' ? NULL : rest + length + 1;
  }
  fail("exec", 1, "exec: \"%s\": executable file not found in $PATH", name);
}

static void reset_signals(void) {
  sigset_t none;
  /* Node ignores SIGPIPE, and a step must not inherit that. */
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

static void set_rlimits(const struct spec *spec) {
  for (size_t i = 0; i < spec->rlimit_count; i++) {
    const struct rlimit_spec *limit = &spec->rlimits[i];
    struct rlimit value = {limit->soft, limit->hard};
    if (setrlimit((__rlimit_resource_t)limit->resource, &value) != 0) {
      fail("mount", 1, "cannot set a resource limit (ulimit): %s", strerror(errno));
    }
  }
}

static void enter_directory(const char *path) {
  if (chdir(path) != 0) fail("exec", 1, "cannot enter working directory %s: %s", path, error_text(errno));
  char where[PATH_MAX];
  /* A directory outside of the root has no path from it (CVE-2024-21626). */
  if (getcwd(where, sizeof where) == NULL || where[0] != '/') {
    fail("exec", 1, "working directory %s is outside of the root file system", path);
  }
}

static void use_streams(const struct spec *spec, const struct streams *streams) {
  if (dup2(streams->in, 0) < 0 || dup2(streams->out, 1) < 0 || dup2(streams->err, 2) < 0) {
    fail("host", 1, "cannot set up standard streams: %s", strerror(errno));
  }
  if (spec->tty && ioctl(0, TIOCSCTTY, 0) != 0) fail("host", 1, "cannot take the terminal: %s", strerror(errno));
}

static void become_user(const struct spec *spec) {
  /* With one mapped id setgroups is forbidden, and there is no other group to be in. */
  if (!spec->single_id && setgroups(spec->group_count, spec->groups) != 0) {
    fail("mount", 1, "cannot set the groups of the step: %s", strerror(errno));
  }
  if (setresgid(spec->gid, spec->gid, spec->gid) != 0 || setresuid(spec->uid, spec->uid, spec->uid) != 0) {
    fail("mount", 1, "cannot become user %u:%u: %s%s", spec->uid, spec->gid, strerror(errno),
         errno == EINVAL ? " (the id is not mapped; give this user a larger range in /etc/subuid and /etc/subgid)" : "");
  }
}

/*
 * Closes every descriptor from `number` on but the report pipe, which becomes `number` and closes on exec. Nothing of
 * the host is open any more when the working directory is entered (CVE-2024-21626).
 */
static void keep_only_report(int number) {
  if (report_fd != number && dup3(report_fd, number, O_CLOEXEC) < 0) {
    fail("host", 1, "cannot keep the report pipe: %s", strerror(errno));
  }
  report_fd = number;
  close_from(number + 1);
}

void exec_command(const struct spec *spec, const struct streams *streams) {
  setsid();
  reset_signals();
  use_streams(spec, streams);
  umask(022);
  keep_only_report(3);
  set_rlimits(spec);
  enter_directory(spec->cwd);
  uint64_t capabilities = step_capabilities(spec->insecure);
  limit_bounding_set(capabilities);
  if (!spec->insecure) install_seccomp();
  prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
  become_user(spec);
  set_capabilities(capabilities);
  const char *path = find_command(spec);
  char *no_environment[] = {NULL};
  execve(path, spec->args.items, spec->env.count == 0 ? no_environment : spec->env.items);
  fail("exec", 255, "exec %s: %s", path, error_text(errno));
}

/* True when `..` of the root is the root: nothing of the host is mounted over or under it any more. */
static bool root_is_alone(void) {
  int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  int above = open("/..", O_PATH | O_DIRECTORY | O_CLOEXEC);
  bool alone = root >= 0 && above >= 0 && mount_id_of(root) == mount_id_of(above);
  close(root);
  close(above);
  return alone;
}

/* Makes `.` the root and lets go of everything that was above it. */
static void enter_root(void) {
  if (sys_pivot_root(".", ".") != 0) {
    /* EINVAL: the host runs from its initial ramdisk, which cannot be pivoted away. */
    if (errno != EINVAL || mount(".", "/", NULL, MS_MOVE, NULL) != 0 || chroot(".") != 0) {
      fail("host", 1, "cannot enter the root file system: %s", strerror(errno));
    }
    if (chdir("/") != 0) fail("host", 1, "cannot go to /: %s", strerror(errno));
    return;
  }
  if (chdir("/") != 0) fail("host", 1, "cannot go to /: %s", strerror(errno));
  /* The old root now lies on the new one, with our scratch mount on top: `..` finds the topmost. */
  for (int left = 4; !root_is_alone(); left--) {
    if (left == 0 || umount2("/..", MNT_DETACH) != 0) {
      fail("host", 1, "cannot detach the host's root: %s", strerror(errno));
    }
  }
}

static void report_end(int status) {
  if (WIFSIGNALED(status)) report("signal", "%d", WTERMSIG(status));
  else report("exit", "%d", WEXITSTATUS(status));
  _exit(0);
}

static void reap(pid_t command) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    /* When the command ends, so does pid 1, and the kernel kills whatever is left: as with docker. */
    if (pid == command) report_end(status);
  }
}

static _Noreturn void supervise(pid_t command) {
  sigset_t all;
  sigfillset(&all);
  for (;;) {
    siginfo_t info;
    int number = sigwaitinfo(&all, &info);
    if (number == SIGCHLD) reap(command);
    /* Senders outside of this pid namespace have no number in it: only the engine may ask for the end. */
    bool from_engine = info.si_code == SI_USER && info.si_pid == 0;
    if (from_engine && (number == SIGTERM || number == SIGINT || number == SIGHUP || number == SIGQUIT)) {
      kill(-1, number);
    }
  }
}

/*
 * This is pid 1 of the step: child of the supervisor, in all new namespaces, all signals blocked, all capabilities
 * of the engine. Its working directory is the assembled root in its own mount namespace. It still holds the
 * supervisor's descriptors, which it gives up one by one.
 */
void init_main(const struct spec *spec, int root_fd, int alive_fd, const struct streams *streams) {
  /* If the supervisor is killed, so is this process, and with it the pid namespace. */
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  struct pollfd alive = {.fd = alive_fd, .events = POLLIN};
  if (poll(&alive, 1, 0) != 0) _exit(125);

  close(root_fd);
  int own_root = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (own_root < 0) fail("host", 1, "cannot open the root file system: %s", strerror(errno));
  mount_procfs(spec, own_root);
  if (fchdir(own_root) != 0) fail("host", 1, "cannot enter the root file system: %s", strerror(errno));
  close(own_root);
  enter_root();

  /* The command may be root with our user id: keep it from tracing us or opening our files through /proc/1. */
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  pid_t command = fork();
  if (command < 0) fail("host", 1, "cannot start a process: %s", strerror(errno));
  if (command == 0) exec_command(spec, streams);

  keep_only_report(0);
  drop_all_but_kill();
  supervise(command);
}
