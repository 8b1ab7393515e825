/** Names as people write them. */
import { familiarReference, parseReference } from '@tsbuild/registry';

/** `busybox:latest` for `docker.io/library/busybox:latest`. */
export function familiar(fullName: string): string {
  return familiarReference(parseReference(fullName));
}
