/*
 * tsbuild-helper sandbox: runs one step. This process, the supervisor, is the engine's child. It reads the
 * specification from fd 3, builds the root file system in a mount namespace of its own, starts pid 1 of the step,
 * carries output, forwards the end, cleans the mount points, and writes the result to fd 4.
 *
 * Nothing survives it: its death signal is SIGKILL with the engine, pid 1's is SIGKILL with it, and pid 1 takes its
 * whole namespace along. Every mount lives in namespaces that only these processes hold.
 */
#include "helper.h"
#include "pump.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SPEC_FD = 3, RESULT_FD = 4, GRACE_MILLISECONDS = 500, DRAIN_MILLISECONDS = 200 };

#ifndef MFD_EXEC
#define MFD_EXEC 0x10
#endif

/*
 * Runs this program again from a sealed copy in memory, so that /proc/1/exe of a step never is a file of the host
 * (CVE-2019-5736). Where that is not to be had (vm.memfd_noexec=2), pid 1 being undumpable has to do.
 */
static void run_sealed(char **argv) {
  int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  struct stat status;
  if (self < 0 || fstat(self, &status) != 0) return;
  int copy = memfd_create("tsbuild-helper", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
  if (copy < 0) copy = memfd_create("tsbuild-helper", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (copy < 0) return;
  for (off_t offset = 0; offset < status.st_size;) {
    if (sendfile(copy, self, &offset, (size_t)(status.st_size - offset)) <= 0) return;
  }
  if (fcntl(copy, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) return;
  char *sealed_argv[] = {"tsbuild-helper", argv[1], "--sealed", NULL};
  fexecve(copy, sealed_argv, environ);
}

static int block_signals(void) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  int fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) fail("host", 1, "cannot watch signals: %s", strerror(errno));
  return fd;
}

static void die_with_engine(const struct spec *spec) {
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (spec->parent != 0 && getppid() != spec->parent) _exit(125);
}

static void enter_namespaces(const struct spec *spec) {
  int flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  if (spec->private_network) flags |= CLONE_NEWNET;
  if (unshare(flags) != 0) {
    fail("host", 1, "cannot make namespaces for the step: %s%s", strerror(errno),
         errno == EPERM ? " (inside a container: its seccomp profile or missing capabilities forbid it)" : "");
  }
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
    fail("host", 1, "cannot make mounts private: %s", strerror(errno));
  }
  if (sethostname(spec->hostname, strlen(spec->hostname)) != 0) {
    fail("host", 1, "cannot set the host name: %s", strerror(errno));
  }
  if (spec->private_network) loopback_up();
}

/* Layers are opened one descriptor each; the step itself keeps the limits it was given. */
static struct rlimit allow_many_files(void) {
  struct rlimit saved = {0, 0}, more;
  getrlimit(RLIMIT_NOFILE, &saved);
  more = saved;
  more.rlim_cur = more.rlim_max;
  setrlimit(RLIMIT_NOFILE, &more);
  return saved;
}

/* A missing working directory is made, but not where /proc will be. */
static void make_working_directory(const struct spec *spec, int root_fd) {
  if (!is_below(spec->cwd, "/proc")) make_directories(root_fd, spec->cwd, spec->uid, spec->gid);
}

static int build_root(struct spec *spec) {
  clone_sources(spec);
  enter_namespaces(spec);
  struct rlimit limit = allow_many_files();
  int root_fd = mount_rootfs(spec);
  prepare_sources(spec);
  setrlimit(RLIMIT_NOFILE, &limit);
  make_working_directory(spec, root_fd);
  int proc_fd = make_system_directory(root_fd, "/proc");
  if (proc_fd < 0) fail("mount", 1, "cannot make mount target /proc: %s", strerror(errno));
  close(proc_fd);
  make_devices(spec, root_fd);
  mount_sysfs(spec, root_fd);
  attach_mounts(spec, root_fd);
  /* Again: what the step sees there may be a mount. */
  make_working_directory(spec, root_fd);
  return root_fd;
}

static void pipe_or_fail(int ends[2]) {
  if (pipe2(ends, O_CLOEXEC) != 0) fail("host", 1, "cannot make a pipe: %s", strerror(errno));
}

static bool is_socket(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

static bool is_null_device(int fd) {
  struct stat status;
  return fstat(fd, &status) != 0 || (S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3));
}

/*
 * Node's "pipes" are sockets, which /dev/stdout cannot open again. So the step gets a true pipe, owned by its user,
 * and this process carries the bytes on.
 */
static int piped_output(const struct spec *spec, int fd, struct pump *pump) {
  if (!is_socket(fd)) return fd;
  int ends[2];
  pipe_or_fail(ends);
  if (fchown(ends[1], spec->uid, spec->gid) != 0) { /* an unmapped id is reported when it is taken */ }
  pump_start(pump, ends[0], fd);
  return ends[1];
}

/* No input is an empty pipe, as docker has it, not the host's /dev/null. */
static int piped_input(int fd) {
  if (!is_null_device(fd)) return fd;
  int ends[2];
  pipe_or_fail(ends);
  close(ends[1]);
  return ends[0];
}

static void close_above_stdio(int fd) {
  if (fd > 2) close(fd);
}

struct step {
  const struct spec *spec;
  int signals, reports, master;
  pid_t init;
  struct pump pumps[2];
  /* Set when the end was asked for: monotonic milliseconds at which to use force. */
  int64_t kill_at;
  bool cancelled;
};

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void start_init(struct step *step, int root_fd) {
  int alive[2], reports[2], slave = -1;
  struct streams streams;
  pipe_or_fail(alive);
  pipe_or_fail(reports);
  if (step->spec->tty) {
    step->master = open_terminal(root_fd, &slave);
    if (fchown(slave, step->spec->uid, (gid_t)-1) != 0) { /* as above */ }
    copy_window_size(0, step->master);
    raw_mode(0);
    streams = (struct streams){slave, slave, slave};
  } else {
    streams = (struct streams){piped_input(0), piped_output(step->spec, 1, &step->pumps[0]),
                               piped_output(step->spec, 2, &step->pumps[1])};
  }
  /* The working directory is how pid 1 finds the root in its own copy of the mount namespace. */
  if (fchdir(root_fd) != 0) fail("host", 1, "cannot enter the root file system: %s", strerror(errno));
  pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0);
  if (pid < 0) fail("host", 1, "cannot start pid 1 of the step: %s", strerror(errno));
  if (pid == 0) {
    report_fd = reports[1];
    close(alive[1]);
    init_main(step->spec, root_fd, alive[0], &streams);
  }
  step->init = pid;
  step->reports = reports[0];
  close(alive[0]);
  close(reports[1]);
  close_above_stdio(streams.in);
  if (!step->spec->tty) close_above_stdio(streams.out), close_above_stdio(streams.err);
  if (step->spec->tty) {
    pump_start(&step->pumps[0], step->master, 1);
    pump_start(&step->pumps[1], 0, step->master);
  }
  /* alive[1] stays open until this process ends. */
}

/* This mount namespace no longer needs the step's mounts, and names on which they stood must be removable. */
static void detach_root(int root_fd) {
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", root_fd);
  if (chdir("/") != 0 || umount2(path, MNT_DETACH) != 0) {
    fail("host", 1, "cannot detach the root file system: %s", strerror(errno));
  }
}

static void ask_to_end(struct step *step, int number) {
  kill(step->init, step->cancelled ? SIGKILL : number);
  if (!step->cancelled) step->kill_at = now() + GRACE_MILLISECONDS;
  step->cancelled = true;
}

static void read_signals(struct step *step) {
  struct signalfd_siginfo info;
  while (read(step->signals, &info, sizeof info) == (ssize_t)sizeof info) {
    int number = (int)info.ssi_signo;
    if (number == SIGTERM || number == SIGINT || number == SIGHUP || number == SIGQUIT) ask_to_end(step, number);
    if (number == SIGWINCH && step->master >= 0) copy_window_size(0, step->master);
  }
}

/* Copies pid 1's records to the engine; false at their end. */
static bool forward_reports(struct step *step) {
  char buffer[16384];
  ssize_t got = read(step->reports, buffer, sizeof buffer);
  if (got < 0 && errno == EINTR) return true;
  if (got > 0) write_all(RESULT_FD, buffer, (size_t)got);
  return got > 0;
}

static bool output_is_done(const struct step *step) {
  if (step->master >= 0) return pump_done(&step->pumps[0]);
  return pump_done(&step->pumps[0]) && pump_done(&step->pumps[1]);
}

/* Until pid 1 has ended, with all of its namespace, and its output is handed over. */
static void watch(struct step *step, struct rusage *usage) {
  bool ended = false, reporting = true;
  int64_t give_up_at = -1;
  while (!ended || reporting || !output_is_done(step)) {
    struct pollfd fds[4] = {{.fd = step->signals, .events = POLLIN},
                            {.fd = reporting ? step->reports : -1, .events = POLLIN},
                            pump_poll(&step->pumps[0]),
                            pump_poll(&step->pumps[1])};
    int64_t deadline = ended ? give_up_at : step->kill_at;
    int timeout = deadline < 0 ? -1 : deadline <= now() ? 0 : (int)(deadline - now());
    poll(fds, 4, timeout);
    if (fds[0].revents != 0) read_signals(step);
    if (fds[1].revents != 0) reporting = forward_reports(step);
    if (fds[2].revents != 0) pump_move(&step->pumps[0]);
    if (fds[3].revents != 0) pump_move(&step->pumps[1]);
    if (!ended && step->kill_at >= 0 && now() >= step->kill_at) {
      kill(step->init, SIGKILL);
      step->kill_at = -1;
    }
    if (!ended && wait4(step->init, NULL, WNOHANG, usage) == step->init) {
      ended = true;
      /* Whoever cancels may no longer read; nobody else waits in vain. */
      if (step->cancelled) give_up_at = now() + DRAIN_MILLISECONDS;
    }
    if (ended && give_up_at >= 0 && now() >= give_up_at) return;
  }
}

/*
 * overlayfs marks the work directory of a volatile mount so that it is not used again after a crash. There was none:
 * the failed step can be entered once more.
 */
static void forget_volatile(const struct spec *spec) {
  static const char *const marks[] = {"volatile/dirty", "volatile", ""};
  char path[4096];
  for (size_t i = 0; spec->work != NULL && i < sizeof marks / sizeof *marks; i++) {
    int size = snprintf(path, sizeof path, "%s/work/incompat/%s", spec->work, marks[i]);
    if (size > 0 && (size_t)size < sizeof path) remove(path);
  }
}

static double seconds(struct timeval time) { return (double)time.tv_sec + (double)time.tv_usec / 1e6; }

int sandbox_main(int argc, char **argv) {
  report_fd = RESULT_FD;
  if (argc < 3) run_sealed(argv);
  prctl(PR_SET_NAME, "tsbuild-step", 0, 0, 0);
  struct step step = {.master = -1, .kill_at = -1, .signals = -1};
  cloexec_from(3);
  size_t length;
  char *data = read_all(SPEC_FD, SPEC_MAX_BYTES, &length);
  close(SPEC_FD);
  struct spec spec;
  parse_spec(&spec, data, length);
  step.spec = &spec;
  die_with_engine(&spec);
  step.signals = block_signals();
  /* A terminal's Ctrl-C is the engine's to handle; it tells us. */
  if (!spec.tty) setsid();
  umask(0);

  int root_fd = build_root(&spec);
  start_init(&step, root_fd);
  report("pid", "%d", step.init);
  detach_root(root_fd);
  struct rusage usage = {0};
  watch(&step, &usage);
  restore_terminal();
  remove_stubs();
  forget_volatile(&spec);
  if (step.cancelled) report("cancelled", "1");
  report("user", "%.6f", seconds(usage.ru_utime));
  report("system", "%.6f", seconds(usage.ru_stime));
  report("maxrss", "%ld", usage.ru_maxrss * 1024L);
  report("done", "1");
  return 0;
}
