/** A socket for one step that leads to the user's ssh agent, with the mode and owner that the mount asks for. */
import { chmodSync, chownSync, closeSync, openSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';

export interface ForwardedAgent {
  /** Path of the new socket. */
  path: string;
  close(): Promise<void>;
}

/**
 * @param directory an own folder of the step's
 * @param name of the socket in it
 */
export async function forwardAgent(
  agent: string,
  directory: string,
  name: string,
  owner: { mode: number; uid: number; gid: number },
): Promise<ForwardedAgent> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (client) =>
    couple(client, connect({ path: agent, allowHalfOpen: true }), open),
  );
  const folder = openSync(directory, 'r');
  try {
    // Socket addresses hold 107 bytes; a store may lie deeper than that.
    await listen(server, `/proc/self/fd/${folder}/${name}`);
  } finally {
    closeSync(folder);
  }
  const path = join(directory, name);
  chownSync(path, owner.uid, owner.gid);
  chmodSync(path, owner.mode);
  return {
    path,
    close: () =>
      new Promise((resolve) => {
        for (const socket of open) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Each side's end or failure ends the other. */
function couple(client: Socket, agent: Socket, open: Set<Socket>): void {
  for (const [socket, other] of [
    [client, agent],
    [agent, client],
  ] as const) {
    open.add(socket);
    socket.pipe(other);
    socket.on('error', () => other.destroy());
    socket.on('close', () => {
      open.delete(socket);
      other.destroy();
    });
  }
}
