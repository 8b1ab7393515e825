/** Instructions that take one string or one plain list. */
import type {
  ExposeInstruction,
  MaintainerInstruction,
  StopsignalInstruction,
  UserInstruction,
  VolumeInstruction,
  WorkdirInstruction,
} from '../ast.js';
import { splitBlanks, splitList } from '../split.js';
import { atLeastOne, countFault, exactlyOne, refuseFlags, type Request } from './request.js';

export function parseWorkdir(request: Request): WorkdirInstruction {
  const path = exactlyOne(request, 'WORKDIR /app');
  refuseFlags(request);
  const { keyword, original, range, comments } = request;
  return { kind: 'workdir', keyword, original, range, comments, path };
}

export function parseUser(request: Request): UserInstruction {
  const user = exactlyOne(request, 'USER name:group');
  refuseFlags(request);
  const { keyword, original, range, comments } = request;
  return { kind: 'user', keyword, original, range, comments, user };
}

export function parseStopsignal(request: Request): StopsignalInstruction {
  const signal = exactlyOne(request, 'STOPSIGNAL SIGTERM');
  refuseFlags(request);
  const { keyword, original, range, comments } = request;
  return { kind: 'stopsignal', keyword, original, range, comments, signal };
}

export function parseMaintainer(request: Request): MaintainerInstruction {
  const name = exactlyOne(request, 'LABEL org.opencontainers.image.authors="name" instead of it');
  refuseFlags(request);
  const { keyword, original, range, comments } = request;
  return { kind: 'maintainer', keyword, original, range, comments, name };
}

export function parseExpose(request: Request): ExposeInstruction {
  const ports = splitBlanks(request.rest);
  atLeastOne(request, ports.length, 'EXPOSE 80/tcp');
  refuseFlags(request);
  const { keyword, original, range, comments } = request;
  return { kind: 'expose', keyword, original, range, comments, ports };
}

export function parseVolume(request: Request): VolumeInstruction {
  const { items } = splitList(request.rest);
  atLeastOne(request, items.length, 'VOLUME /data');
  refuseFlags(request);
  const paths = items.map((item) => item.trim());
  if (paths.includes('')) {
    throw countFault('VOLUME specified can not be an empty string', 'Write the path of a directory.');
  }
  const { keyword, original, range, comments } = request;
  return { kind: 'volume', keyword, original, range, comments, paths };
}
