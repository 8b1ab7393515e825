/** Pushes an image of the store. */
import {
  apiReference,
  checkCompression,
  formatReference,
  parseReference,
  pushImage,
  withDefaultTag,
} from '@tsbuild/registry';
import type { PushOptions, PushResult } from '../api/types.js';
import type { OperationContext } from '../engine/context.js';
import { withStep } from '../engine/step.js';
import { recompress } from '../export/recompress.js';
import { openStore } from '../store/open.js';
import { protect } from '../store/protect.js';
import { transferTo } from './fetch.js';
import { findImage } from './find.js';
import { connect } from './remote.js';

export async function push(options: PushOptions, { emit, signal }: OperationContext): Promise<PushResult> {
  const { compression = 'gzip', compressionLevel: level } = options;
  checkCompression({ compression, ...(level === undefined ? {} : { level }) });
  const store = await openStore({ root: options.root, warn: (message) => emit({ type: 'notice', message }) });
  const registries = connect(options);
  const lease = await protect(store);
  try {
    const found = await findImage(store, options.reference);
    const destination = withDefaultTag(
      parseReference(options.destination ?? found.name ?? options.reference),
    );
    const name = formatReference(destination);
    const root = await recompress(store, found.descriptor, options, { emit, signal });
    const repository = await registries.repository(destination);
    const { digest } = await withStep(emit, { id: `push ${name}`, name: `pushing ${name}` }, (id) =>
      pushImage(repository, apiReference(destination), root, store.content, {
        signal,
        onTransfer: transferTo(emit, id),
      }),
    );
    return { name, digest };
  } finally {
    await registries.close();
    lease.release();
  }
}
