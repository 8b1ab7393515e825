/** A registry client that knows nothing of this machine's user. */
import { noCredentials } from '../../src/auth/credentials.js';
import {
  createRegistryClient,
  type RegistryClient,
  type RegistryClientOptions,
} from '../../src/remote/client.js';

export function testClient(options: RegistryClientOptions = {}): RegistryClient {
  return createRegistryClient({
    env: { PATH: process.env['PATH'], CONTAINERS_REGISTRIES_CONF: '/dev/null' },
    home: '/nonexistent',
    credentials: noCredentials,
    certsDirectories: [],
    retry: { baseMs: 5, maxMs: 20 },
    ...options,
  });
}
