/** A resolver that asks nobody: every image is there, and empty. For checks of a Dockerfile. */
import { parseReference } from '@tsbuild/registry';
import type { SourceResolver } from '@tsbuild/solver';
import { parseRemoteContext } from './remote-context.js';
import { emptyImage } from './resolver.js';

export function offlineResolver(buildContexts: Readonly<Record<string, string>>): SourceResolver {
  const resolveImage: SourceResolver['resolveImage'] = async (reference, platform) => {
    parseReference(reference);
    return emptyImage(platform);
  };
  return {
    resolveImage,
    async resolveNamedContext(name, platform) {
      const value = buildContexts[name];
      if (value === undefined) return undefined;
      if (value.startsWith('target:')) return { target: value.slice('target:'.length) };
      if (/^(?:docker-image|oci-layout):\/\//.test(value)) return emptyImage(platform);
      const remote = parseRemoteContext(value);
      return remote ? { op: remote } : { op: { kind: 'local', name } };
    },
  };
}
