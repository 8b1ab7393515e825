/** What one case of the suite is. */

/** A regular file by its content, or any other kind of entry. */
export type Node =
  | string
  | Uint8Array
  | {
      /** Content; without it, `link` and `fifo` the entry is a directory. */
      text?: string | Uint8Array;
      link?: string;
      /** A hard link to this path of the same tree, which must come earlier. */
      hard?: string;
      fifo?: true;
      mode?: number;
      /** Seconds since 1970; else the fixed time of all entries. */
      mtime?: number;
      xattrs?: Record<string, string>;
    };

export type Tree = Record<string, Node>;

export interface Difference {
  /** Matches the lines of the comparison that it explains: `what: ours | theirs`. */
  line: RegExp;
  reason: string;
}

/**
 * One Dockerfile and what surrounds it. In `dockerfile`, `files` and `options` these words are replaced: %BASE% by the name of the base
 * image (base.ts), %ONBUILD% by that of its sibling with triggers, %SERVER% by the address of the web server (servers.ts), %NONCE% by a word
 * that no other build has, %CONTEXT% by the context's folder, %DIR% by the one that holds `trees` by their names.
 */
export interface Case {
  name: string;
  /** Written to `context/Dockerfile`; undefined where `files` or the options bring one. */
  dockerfile?: string;
  files?: Tree;
  /** Further folders beside the context. */
  trees?: Record<string, Tree>;
  /** Flags of the command line that both builders know. */
  options?: string[];
  /** What stands in the place of the context's folder. */
  context?: string;
  stdin?: string | Uint8Array;
  env?: Record<string, string>;
  /** The build must fail, and our message must match this. */
  fails?: RegExp;
  /** Where we differ from the peer on purpose. */
  differs?: Difference[];
  /**
   * What the recorded peer does not have, if the case needs it. The record is then what tsbuild made, looked through by a person
   * who held it against BuildKit's documentation and sources.
   */
  peerLacks?: string;
  /** As `differs`, where an ordinary user builds. */
  rootless?: Difference[];
  /** Why the case cannot run for an ordinary user at all. */
  rootOnly?: string;
}

export interface Group {
  name: string;
  /** Why an ordinary user's builds need not be compared: what the group is about is done before any file is touched. */
  sameForEverybody?: string;
  cases: Case[];
}
