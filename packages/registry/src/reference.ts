/**
 * Names of images as docker reads them: the grammar of distribution/reference (reference.go, normalize.go, regexp.go).
 * `x`, `docker.io/library/x:latest` and `index.docker.io/x` are one image; the full form is the one kept in stores.
 */
import { isDigest, TsbuildError, type Digest } from '@tsbuild/core';

/** A parsed name. `registry` is the domain users write (docker.io, not registry-1.docker.io). */
export interface Reference {
  registry: string;
  /** Path in the registry, `library/` included for docker's official images. */
  repository: string;
  tag?: string;
  digest?: Digest;
}

const component = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const domain = `(?:${component}(?:\\.${component})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const pathPart = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const tagPattern = '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}';
const digestPattern = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}';
const whole = new RegExp(
  `^(${domain})/(${pathPart}(?:/${pathPart})*)(?::(${tagPattern}))?(?:@(${digestPattern}))?$`,
);

const defaultRegistry = 'docker.io';
const maximumNameLength = 255;

function bad(message: string, hint: string): TsbuildError {
  return new TsbuildError('TSB_RESOLVE_BAD_REFERENCE', message, { hint });
}

/**
 * Reads a name as the docker command line does. The tag stays undefined where none is written (see withDefaultTag).
 * @throws TsbuildError TSB_RESOLVE_BAD_REFERENCE in the words of BuildKit
 */
export function parseReference(text: string): Reference {
  if (/^[a-f0-9]{64}$/.test(text)) {
    throw bad(
      `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`,
      'To name an image by its digest write REPOSITORY@sha256:DIGEST.',
    );
  }
  const { registry, remainder } = splitDomain(text);
  const name = remainder.split(':', 1)[0] as string;
  if (name !== name.toLowerCase()) {
    throw bad(
      `invalid reference format: repository name (${name}) must be lowercase`,
      `Write it as ${name.toLowerCase().replace(/^library\//, '')}; names of build stages must be declared before they are used.`,
    );
  }
  const match = whole.exec(`${registry}/${remainder}`);
  if (match === null)
    throw bad(`invalid reference format${text === '' ? '' : `: ${JSON.stringify(text)}`}`, formatHint(text));
  const [, host = '', repository = '', tag, digest] = match;
  if (host.length + 1 + repository.length > maximumNameLength) {
    throw bad(`repository name must not be more than ${maximumNameLength} characters`, 'Use a shorter name.');
  }
  if (digest !== undefined && !isDigest(digest)) {
    throw bad(
      `unsupported digest ${JSON.stringify(digest)}`,
      'Digests are sha256: followed by 64 lower-case hexadecimal digits.',
    );
  }
  return {
    registry: host,
    repository,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** splitDockerDomain: a first part with a dot, a colon or an upper-case letter, or `localhost`, is a host. */
function splitDomain(text: string): { registry: string; remainder: string } {
  const slash = text.indexOf('/');
  const first = slash < 0 ? '' : text.slice(0, slash);
  const isHost = slash >= 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  let registry = isHost ? first : defaultRegistry;
  let remainder = isHost ? text.slice(slash + 1) : text;
  if (registry === 'index.docker.io') registry = defaultRegistry;
  if (registry === defaultRegistry && !remainder.includes('/')) remainder = `library/${remainder}`;
  return { registry, remainder };
}

function formatHint(text: string): string {
  if (text === '') return 'The name of the image is empty; a build argument used in it may have no value.';
  if (text.trim() !== text || /\s/.test(text)) return 'Names of images hold no blanks.';
  if (/^[a-z]+:\/\//.test(text))
    return `Leave out ${text.slice(0, text.indexOf('://') + 3)}: write HOST[:PORT]/NAME[:TAG].`;
  if (text.endsWith(':'))
    return 'Nothing follows the colon; a build argument used as the tag may have no value.';
  return 'Write it as [HOST[:PORT]/]NAME[:TAG][@sha256:DIGEST], in lower case.';
}

/** The reference with `:latest` where it has neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  if (reference.tag !== undefined || reference.digest !== undefined) return reference;
  return { ...reference, tag: 'latest' };
}

/** `docker.io/library/x`: registry and repository, without tag and digest. */
export function repositoryName(reference: Reference): string {
  return `${reference.registry}/${reference.repository}`;
}

/** The full form: `docker.io/library/x:latest@sha256:…`, with what the reference has. */
export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${repositoryName(reference)}${tag}${digest}`;
}

/** The form docker shows: without `docker.io/library/`. */
export function familiarReference(reference: Reference): string {
  const full = formatReference(reference);
  if (reference.registry !== defaultRegistry) return full;
  const short = full.slice(defaultRegistry.length + 1);
  return /^library\/[^/]+$/.test(reference.repository) ? short.slice('library/'.length) : short;
}

/** A name as the user wrote it to the full form with a tag: what the tag store keeps. */
export function normalizeReference(text: string): string {
  return formatReference(withDefaultTag(parseReference(text)));
}

/** What the registry's API calls `reference`: the digest where there is one, else the tag. */
export function apiReference(reference: Reference): string {
  return reference.digest ?? reference.tag ?? 'latest';
}

/**
 * A registry as given to login and logout: a host, or a URL of it; Docker Hub where it is empty.
 * @throws TsbuildError TSB_RESOLVE_BAD_REFERENCE
 */
export function normalizeRegistry(text: string): string {
  const host = text
    .trim()
    .replace(/^https?:\/\//, '')
    .split('/', 1)[0] as string;
  if (['', 'index.docker.io', 'registry-1.docker.io'].includes(host)) return defaultRegistry;
  if (!new RegExp(`^${domain}$`).test(host))
    throw bad(`invalid registry ${JSON.stringify(text)}`, 'Write it as HOST or HOST:PORT.');
  return host;
}
