/* What this host allows: id ranges, user namespaces, tools. Shared by launch and probe. */
#ifndef TSBUILD_HOST_H
#define TSBUILD_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct id_range {
  uint64_t first, count;
};

struct id_ranges {
  struct id_range *items;
  size_t count;
  uint64_t total;
};

struct subordinate_ids {
  struct id_ranges uids, gids;
  char newuidmap[256], newgidmap[256];
  /* NULL, or what is not there, and how to get it. */
  const char *missing;
  char hint[512];
};

struct id_map {
  uint64_t ids;
  /* The initial user namespace: every id is itself. */
  bool identity;
};

void find_subordinate_ids(struct subordinate_ids *ids);
/* Runs newuidmap or newgidmap for a process: 0 becomes `own`, the ranges follow from 1 on. */
int run_mapping_tool(const char *tool, pid_t target, unsigned own, const struct id_ranges *ranges);
void read_id_map(const char *path, struct id_map *map);
/* The setting that keeps users from making user namespaces, with the way to change it; NULL if none is seen. */
const char *userns_hint(void);
/* Finds a program in the usual system folders; never in folders that PATH might add. */
bool find_tool(const char *name, char *path, size_t size);

#endif
