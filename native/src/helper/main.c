/* tsbuild-helper: the parts of tsbuild that need a single-threaded process. */
#include "helper.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
  const char *command = argc > 1 ? argv[1] : "";
  if (strcmp(command, "launch") == 0) return launch_main(argc, argv);
  if (strcmp(command, "sandbox") == 0) return sandbox_main(argc, argv);
  if (strcmp(command, "probe") == 0) return probe_main();
  fprintf(stderr, "usage: tsbuild-helper launch -- COMMAND [ARG...]\n"
                  "       tsbuild-helper sandbox   (specification on fd 3, result on fd 4)\n"
                  "       tsbuild-helper probe\n");
  return 2;
}
