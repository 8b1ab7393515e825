/** The registries as this package uses them: one client per call, closed at its end. */
import type { HttpResponse } from '@tsbuild/executor';
import {
  createRegistryClient,
  type Reference,
  type RegistryClient,
  type RemoteRepository,
} from '@tsbuild/registry';
import type { RegistryOptions } from '../api/types.js';

export type Repositories = (reference: Reference) => Promise<RemoteRepository>;

export interface Registries {
  client: RegistryClient;
  repository: Repositories;
  /** GET of a URL that is no registry's: ADD, contexts. Redirects are followed. */
  fetchUrl(url: string, headers: Record<string, string>, signal: AbortSignal): Promise<HttpResponse>;
  close(): Promise<void>;
}

export function connect(options: RegistryOptions): Registries {
  const client = createRegistryClient({
    ...(options.insecureRegistries === undefined ? {} : { insecureRegistries: options.insecureRegistries }),
    ...(options.registriesConf === undefined ? {} : { registriesConf: options.registriesConf }),
  });
  return {
    client,
    repository: (reference) => client.repository(reference),
    fetchUrl: (url, headers, signal) => client.fetchUrl(url, headers, signal),
    close: () => client.close(),
  };
}
