/** Keeps registry credentials where docker keeps them. */
import { homedir } from 'node:os';
import { eraseCredential, storeCredential } from '@tsbuild/registry';
import type { LoginOptions, LogoutOptions } from '../api/types.js';
import type { OperationContext } from '../engine/context.js';
import { connect } from './remote.js';

const where = () => ({ env: process.env, home: process.env.HOME ?? homedir() });

/** Only what the registry takes is kept. */
export async function login(options: LoginOptions, { signal }: OperationContext): Promise<void> {
  const registries = connect(options);
  try {
    const { registry, username, password } = options;
    const kept = await registries.client.login(registry, { username, password }, signal);
    await storeCredential(registry, kept, where());
  } finally {
    await registries.close();
  }
}

export async function logout({ registry }: LogoutOptions): Promise<boolean> {
  return await eraseCredential(registry, where());
}
