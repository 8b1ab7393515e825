/* See host.h. */
#include "host.h"
#include "helper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

bool find_tool(const char *name, char *path, size_t size) {
  static const char *const folders[] = {"/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/local/sbin",
                                        "/run/wrappers/bin"};
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
    snprintf(path, size, "%s/%s", folders[i], name);
    if (access(path, X_OK) == 0) return true;
  }
  path[0] = '\0';
  return false;
}

/* The login name of a user id, by /etc/passwd alone: a static program cannot load name service modules. */
static bool user_name(uid_t uid, char *name, size_t size) {
  FILE *file = fopen("/etc/passwd", "re");
  char line[4096];
  bool found = false;
  while (!found && file != NULL && fgets(line, sizeof line, file) != NULL) {
    char *next = line;
    char *entry_name = strsep(&next, ":");
    strsep(&next, ":");
    char *entry_uid = next == NULL ? NULL : strsep(&next, ":");
    if (entry_uid == NULL || strtoul(entry_uid, NULL, 10) != uid) continue;
    snprintf(name, size, "%s", entry_name);
    found = true;
  }
  if (file != NULL) fclose(file);
  /* Users of a directory service: newuidmap itself checks the claim. */
  const char *claimed = getenv("USER");
  if (!found && claimed != NULL) snprintf(name, size, "%s", claimed);
  return found || claimed != NULL;
}

/* Lines are NAME-OR-UID:FIRST:COUNT (subuid(5)). */
static void read_ranges(const char *path, const char *name, uid_t uid, struct id_ranges *ranges) {
  char number[16], line[1024];
  snprintf(number, sizeof number, "%u", uid);
  FILE *file = fopen(path, "re");
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    char *next = line;
    char *owner = strsep(&next, ":");
    char *first = next == NULL ? NULL : strsep(&next, ":");
    char *count = next;
    if (first == NULL || count == NULL) continue;
    if (strcmp(owner, number) != 0 && (name == NULL || strcmp(owner, name) != 0)) continue;
    struct id_range range = {strtoull(first, NULL, 10), strtoull(count, NULL, 10)};
    if (range.count == 0) continue;
    ranges->items = xrealloc(ranges->items, (ranges->count + 1) * sizeof range);
    ranges->items[ranges->count++] = range;
    ranges->total += range.count;
  }
  if (file != NULL) fclose(file);
}

void find_subordinate_ids(struct subordinate_ids *ids) {
  memset(ids, 0, sizeof *ids);
  char name[256] = "";
  bool named = user_name(getuid(), name, sizeof name);
  read_ranges("/etc/subuid", named ? name : NULL, getuid(), &ids->uids);
  read_ranges("/etc/subgid", named ? name : NULL, getuid(), &ids->gids);
  bool tools = find_tool("newuidmap", ids->newuidmap, sizeof ids->newuidmap);
  tools = find_tool("newgidmap", ids->newgidmap, sizeof ids->newgidmap) && tools;
  if (!tools) {
    ids->missing = "newuidmap and newgidmap are not installed";
    snprintf(ids->hint, sizeof ids->hint, "Install the package uidmap (Debian, Ubuntu) or shadow-utils (Fedora).");
  } else if (ids->uids.count == 0 || ids->gids.count == 0) {
    ids->missing = ids->uids.count == 0 ? "/etc/subuid has no range for you" : "/etc/subgid has no range for you";
    snprintf(ids->hint, sizeof ids->hint,
             "Run: sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %.200s", named ? name : "$USER");
  }
}

int run_mapping_tool(const char *tool, pid_t target, unsigned own, const struct id_ranges *ranges) {
  char **arguments = xmalloc((2 + 3 * (ranges->count + 1) + 1) * sizeof *arguments);
  size_t count = 0;
  char text[24];
  uint64_t inside = 0;
  arguments[count++] = strdup(tool);
  snprintf(text, sizeof text, "%d", target);
  arguments[count++] = strdup(text);
  for (size_t i = 0; i <= ranges->count; i++) {
    struct id_range range = i == 0 ? (struct id_range){own, 1} : ranges->items[i - 1];
    uint64_t numbers[3] = {inside, range.first, range.count};
    for (int part = 0; part < 3; part++) {
      snprintf(text, sizeof text, "%llu", (unsigned long long)numbers[part]);
      arguments[count++] = strdup(text);
    }
    inside += range.count;
  }
  pid_t pid = fork();
  if (pid == 0) {
    execv(tool, arguments);
    _exit(127);
  }
  int status = 0;
  if (pid < 0) return -1;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void read_id_map(const char *path, struct id_map *map) {
  char text[4096], *next = text;
  *map = (struct id_map){0, false};
  if (!read_file(path, text, sizeof text)) return;
  for (char *line; (line = strsep(&next, "\n")) != NULL;) {
    unsigned long long inside, outside, count;
    if (sscanf(line, "%llu %llu %llu", &inside, &outside, &count) != 3) continue;
    map->ids += count;
    if (inside == 0 && outside == 0 && count == 4294967295ull) map->identity = true;
  }
}

static long setting(const char *path) {
  char text[64];
  return read_file(path, text, sizeof text) ? strtol(text, NULL, 10) : -1;
}

const char *userns_hint(void) {
  if (setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1) {
    return "AppArmor keeps users from making user namespaces (Ubuntu 23.10 and newer). Allow it with\n"
           "  sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0\n"
           "or with a profile for this program in /etc/apparmor.d/ that has the rule `userns,`.";
  }
  if (setting("/proc/sys/kernel/unprivileged_userns_clone") == 0) {
    return "This kernel keeps users from making user namespaces. Allow it with\n"
           "  sudo sysctl -w kernel.unprivileged_userns_clone=1";
  }
  if (setting("/proc/sys/user/max_user_namespaces") == 0) {
    return "The number of user namespaces is limited to none. Allow them with\n"
           "  sudo sysctl -w user.max_user_namespaces=15000";
  }
  return "Something keeps this process from making user namespaces: a container's seccomp profile, or the limits of "
         "a sandbox. Run tsbuild as root, or start the container with --security-opt seccomp=unconfined.";
}
