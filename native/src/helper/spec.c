/* The step's specification: records as packages/executor/src/run/spec.ts writes them. */
#include "helper.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

void text_list_add(struct text_list *list, char *item) {
  list->items = xrealloc(list->items, (list->count + 2) * sizeof *list->items);
  list->items[list->count++] = item;
  list->items[list->count] = NULL;
}

struct record {
  const char *key;
  char *value;
  size_t length;
};

static uint64_t number(const struct record *record) {
  char *end;
  errno = 0;
  unsigned long long value = strtoull(record->value, &end, 10);
  if (errno != 0 || *end != '\0' || record->length == 0 || record->value[0] == '-') {
    fail("spec", 1, "%s is no number: %s", record->key, record->value);
  }
  return value;
}

static bool flag(const struct record *record) { return number(record) != 0; }

static void add_group(struct spec *spec, gid_t gid) {
  spec->groups = xrealloc(spec->groups, (spec->group_count + 1) * sizeof *spec->groups);
  spec->groups[spec->group_count++] = gid;
}

static int resource_named(const char *name) {
  static const struct {
    const char *name;
    int resource;
  } resources[] = {
      {"as", RLIMIT_AS},           {"core", RLIMIT_CORE},       {"cpu", RLIMIT_CPU},
      {"data", RLIMIT_DATA},       {"fsize", RLIMIT_FSIZE},     {"locks", RLIMIT_LOCKS},
      {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
      {"nofile", RLIMIT_NOFILE},   {"nproc", RLIMIT_NPROC},     {"rss", RLIMIT_RSS},
      {"rtprio", RLIMIT_RTPRIO},   {"rttime", RLIMIT_RTTIME},   {"sigpending", RLIMIT_SIGPENDING},
      {"stack", RLIMIT_STACK},
  };
  for (size_t i = 0; i < sizeof resources / sizeof *resources; i++) {
    if (strcmp(resources[i].name, name) == 0) return resources[i].resource;
  }
  fail("spec", 1, "unknown resource limit %s", name);
}

/* NAME:SOFT:HARD, decimal; -1 is unlimited. */
static void add_rlimit(struct spec *spec, const struct record *record) {
  char *soft = strchr(record->value, ':');
  char *hard = soft == NULL ? NULL : strchr(soft + 1, ':');
  if (hard == NULL) fail("spec", 1, "bad resource limit %s", record->value);
  *soft++ = *hard++ = '\0';
  spec->rlimits = xrealloc(spec->rlimits, (spec->rlimit_count + 1) * sizeof *spec->rlimits);
  spec->rlimits[spec->rlimit_count++] = (struct rlimit_spec){
      .resource = resource_named(record->value), .soft = strtoull(soft, NULL, 10), .hard = strtoull(hard, NULL, 10)};
}

static void add_mount(struct spec *spec, const char *type) {
  spec->mounts = xrealloc(spec->mounts, (spec->mount_count + 1) * sizeof *spec->mounts);
  struct mount_spec *mount = &spec->mounts[spec->mount_count++];
  *mount = (struct mount_spec){.source_fd = -1, .mount_fd = -1, .mode = 0755};
  if (strcmp(type, "bind") == 0) mount->type = MOUNT_BIND;
  else if (strcmp(type, "overlay") == 0) mount->type = MOUNT_OVERLAY;
  else if (strcmp(type, "tmpfs") == 0) mount->type = MOUNT_TMPFS;
  else if (strcmp(type, "file") == 0) mount->type = MOUNT_FILE;
  else fail("spec", 1, "unknown mount type %s", type);
}

static void set_mount(struct spec *spec, const struct record *record) {
  if (spec->mount_count == 0) fail("spec", 1, "%s before mount", record->key);
  struct mount_spec *mount = &spec->mounts[spec->mount_count - 1];
  const char *name = record->key + strlen("mount.");
  if (strcmp(name, "target") == 0) mount->target = record->value;
  else if (strcmp(name, "source") == 0) mount->source = record->value;
  else if (strcmp(name, "fd") == 0) mount->source_fd = (int)number(record);
  else if (strcmp(name, "lower") == 0) text_list_add(&mount->lower, record->value);
  else if (strcmp(name, "upper") == 0) mount->upper = record->value;
  else if (strcmp(name, "work") == 0) mount->work = record->value;
  else if (strcmp(name, "subpath") == 0) mount->subpath = record->value;
  else if (strcmp(name, "readonly") == 0) mount->readonly = flag(record);
  else if (strcmp(name, "recursive") == 0) mount->recursive = flag(record);
  else if (strcmp(name, "executable") == 0) mount->executable = flag(record);
  else if (strcmp(name, "size") == 0) mount->size = number(record);
  else if (strcmp(name, "mode") == 0) mount->mode = (mode_t)number(record);
  else if (strcmp(name, "uid") == 0) mount->uid = (uid_t)number(record);
  else if (strcmp(name, "gid") == 0) mount->gid = (gid_t)number(record);
  else if (strcmp(name, "data") == 0) mount->data = record->value, mount->data_length = record->length;
  else fail("spec", 1, "unknown key %s", record->key);
}

static void set_member(struct spec *spec, const struct record *record) {
  const char *key = record->key;
  if (strncmp(key, "mount.", 6) == 0) set_mount(spec, record);
  else if (strcmp(key, "mount") == 0) add_mount(spec, record->value);
  else if (strcmp(key, "parent") == 0) spec->parent = (pid_t)number(record);
  else if (strcmp(key, "hostname") == 0) spec->hostname = record->value;
  else if (strcmp(key, "cwd") == 0) spec->cwd = record->value;
  else if (strcmp(key, "uid") == 0) spec->uid = (uid_t)number(record);
  else if (strcmp(key, "gid") == 0) spec->gid = (gid_t)number(record);
  else if (strcmp(key, "group") == 0) add_group(spec, (gid_t)number(record));
  else if (strcmp(key, "arg") == 0) text_list_add(&spec->args, record->value);
  else if (strcmp(key, "env") == 0) text_list_add(&spec->env, record->value);
  else if (strcmp(key, "insecure") == 0) spec->insecure = flag(record);
  else if (strcmp(key, "private-network") == 0) spec->private_network = flag(record);
  else if (strcmp(key, "userns") == 0) spec->userns = flag(record);
  else if (strcmp(key, "single-id") == 0) spec->single_id = flag(record);
  else if (strcmp(key, "tty") == 0) spec->tty = flag(record);
  else if (strcmp(key, "root.dir") == 0) spec->root_dir = record->value;
  else if (strcmp(key, "root.lower") == 0) text_list_add(&spec->lower, record->value);
  else if (strcmp(key, "root.upper") == 0) spec->upper = record->value;
  else if (strcmp(key, "root.work") == 0) spec->work = record->value;
  else if (strcmp(key, "shm-size") == 0) spec->shm_size = number(record);
  else if (strcmp(key, "rlimit") == 0) add_rlimit(spec, record);
  else if (strcmp(key, "device") == 0) text_list_add(&spec->devices, record->value);
  else fail("spec", 1, "unknown key %s", key);
}

/* Values that hold bytes; everything else must be a C string. */
static bool may_hold_nul(const char *key) { return strcmp(key, "mount.data") == 0; }

static void check(const struct spec *spec) {
  if (spec->args.count == 0) fail("spec", 1, "no command");
  if (spec->root_dir == NULL && spec->upper == NULL) fail("spec", 1, "no root file system");
  if (spec->root_dir == NULL && spec->work == NULL) fail("spec", 1, "an upper directory needs a work directory");
  for (size_t i = 0; i < spec->mount_count; i++) {
    const struct mount_spec *mount = &spec->mounts[i];
    if (mount->target == NULL || mount->target[0] != '/') fail("spec", 1, "mount %zu has no absolute target", i);
    if (mount->type == MOUNT_BIND && mount->source == NULL && mount->source_fd < 0) {
      fail("spec", 1, "bind mount %s has no source", mount->target);
    }
  }
}

void parse_spec(struct spec *spec, char *data, size_t length) {
  *spec = (struct spec){.hostname = "localhost", .cwd = "/", .shm_size = 64u << 20};
  for (size_t offset = 0; offset < length;) {
    size_t left = length - offset;
    unsigned char *at = (unsigned char *)data + offset;
    size_t key_length = at[0];
    if (left < 1 + key_length + 4 + 1) fail("spec", 1, "truncated record");
    unsigned char *size = at + 1 + key_length;
    size_t value_length = size[0] | (size_t)size[1] << 8 | (size_t)size[2] << 16 | (size_t)size[3] << 24;
    if (value_length > left - (1 + key_length + 4 + 1)) fail("spec", 1, "truncated value");
    struct record record = {.value = (char *)size + 4, .length = value_length};
    if (record.value[value_length] != '\0') fail("spec", 1, "record without its end");
    char key[256];
    memcpy(key, at + 1, key_length);
    key[key_length] = '\0';
    record.key = key;
    if (strlen(record.value) != value_length && !may_hold_nul(key)) fail("spec", 1, "%s holds a NUL byte", key);
    set_member(spec, &record);
    offset += 1 + key_length + 4 + value_length + 1;
  }
  check(spec);
}
