{
  "targets": [
    {
      "target_name": "tsbuild",
      "sources": [
        "src/addon/module.c",
        "src/addon/values.c",
        "src/addon/files.c",
        "src/addon/calls.c",
        "src/addon/jobs.c",
        "src/addon/sha256.c",
        "src/addon/hash-files.c",
        "src/addon/copy-data.c",
        "src/addon/copy-files.c",
        "src/addon/walk.c",
        "src/addon/remove-tree.c",
        "src/addon/mount.c"
      ],
      "cflags": ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-fvisibility=hidden"]
    }
  ]
}
