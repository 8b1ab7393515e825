/**
 * Keys that sign and verify caches: Ed25519 and ECDSA on P-256, in PEM, as `openssl genpkey` and `openssl pkey -pubout`
 * write them. They are read before anything runs, so that a wrong file costs nobody a build.
 */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { open } from 'node:fs/promises';
import { type Digest, sha256, TsbuildError } from '@tsbuild/core';
import type { BuildOptions } from '../api/types.js';

export interface VerifyingKey {
  /** sha256 of the public key's SubjectPublicKeyInfo; what a signature names its key by. */
  id: Digest;
  publicKey: KeyObject;
  /** Where it came from, for messages. */
  path: string;
}

export interface Keys {
  /** Signs what is published. */
  sign: SigningKey | undefined;
  /** What is loaded must be signed by one of these; undefined: anything is taken. */
  verify: readonly VerifyingKey[] | undefined;
}

export interface SigningKey extends VerifyingKey {
  privateKey: KeyObject;
}

/** Keys have some hundred bytes. */
const limit = 64 * 1024;

export const noKeys: Keys = { sign: undefined, verify: undefined };

/** @throws TsbuildError TSB_USAGE_CACHE_KEY */
export async function readKeys(paths: Pick<BuildOptions, 'cacheSign' | 'cacheVerify'>): Promise<Keys> {
  const { cacheSign, cacheVerify } = paths;
  return {
    sign: cacheSign === undefined ? undefined : await readSigningKey(cacheSign),
    verify: cacheVerify === undefined ? undefined : await Promise.all(cacheVerify.map(readVerifyingKey)),
  };
}

/** @throws TsbuildError TSB_USAGE_CACHE_KEY */
export async function readSigningKey(path: string): Promise<SigningKey> {
  const text = await readText('cache-sign', path);
  if (!text.includes('PRIVATE KEY-----'))
    throw wrong(
      'cache-sign',
      path,
      'is no private key in PEM',
      'Make one with `openssl genpkey -algorithm ed25519`.',
    );
  if (text.includes('BEGIN OPENSSH PRIVATE KEY'))
    throw wrong(
      'cache-sign',
      path,
      "is a key of ssh's",
      'Make one with `openssl genpkey -algorithm ed25519`.',
    );
  if (/BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED/.test(text))
    throw wrong(
      'cache-sign',
      path,
      'has a passphrase',
      'Take it away with `openssl pkey -in FILE -out FILE2`.',
    );
  const privateKey = parse('cache-sign', path, () => createPrivateKey(text));
  return { ...describe('cache-sign', path, createPublicKey(privateKey)), privateKey };
}

/** @throws TsbuildError TSB_USAGE_CACHE_KEY */
export async function readVerifyingKey(path: string): Promise<VerifyingKey> {
  const text = await readText('cache-verify', path);
  // Who only reads caches needs no key that can write them, and a build's machine is the last place for one.
  if (text.includes('PRIVATE KEY-----'))
    throw wrong(
      'cache-verify',
      path,
      'is a private key',
      'Give the public one: `openssl pkey -in FILE -pubout`.',
    );
  if (!text.includes('-----BEGIN PUBLIC KEY-----'))
    throw wrong(
      'cache-verify',
      path,
      'is no public key in PEM',
      'Make one with `openssl pkey -in FILE -pubout`.',
    );
  return describe(
    'cache-verify',
    path,
    parse('cache-verify', path, () => createPublicKey(text)),
  );
}

async function readText(flag: string, path: string): Promise<string> {
  try {
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(limit), position: null });
      return buffer.toString('latin1', 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw wrong(flag, path, `cannot be read: ${(cause as Error).message}`, 'Name a file with a key in PEM.');
  }
}

function parse(flag: string, path: string, work: () => KeyObject): KeyObject {
  try {
    return work();
  } catch {
    throw wrong(
      flag,
      path,
      'holds no key that can be read',
      'Make one with `openssl genpkey -algorithm ed25519`.',
    );
  }
}

function describe(flag: string, path: string, publicKey: KeyObject): VerifyingKey {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = publicKey;
  if (type !== 'ed25519' && !(type === 'ec' && details?.namedCurve === 'prime256v1')) {
    const kind = type === 'ec' ? `ec on ${details?.namedCurve}` : type;
    throw wrong(flag, path, `is a key of type ${kind}`, 'Use Ed25519, or ECDSA on the curve P-256.');
  }
  return { id: sha256(publicKey.export({ type: 'spki', format: 'der' })), publicKey, path };
}

function wrong(flag: string, path: string, what: string, hint: string): TsbuildError {
  return new TsbuildError('TSB_USAGE_CACHE_KEY', `--${flag}: ${path} ${what}`, { hint });
}
