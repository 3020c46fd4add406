// Stands between a client and a broker and passes on what they say, as slowly as it is told.
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Pace {
  /** Of each direction of each connection. */
  bytesPerSecond: number;
  /** Each piece waits so long. */
  delayMs: number;
}

/** Listens on `port`; `pace` may change while it runs. */
export async function startProxy(
  t: TestContext,
  port: number,
  brokerPort: number,
  pace: Pace,
): Promise<Server> {
  const open = new Set<Socket>();
  async function pass(from: Socket, to: Socket): Promise<void> {
    try {
      for await (const chunk of from) {
        const bytes = chunk as Buffer;
        await sleep(pace.delayMs + (bytes.length / pace.bytesPerSecond) * 1_000);
        if (!to.write(bytes)) await once(to, 'drain');
      }
      to.end();
    } catch {
      to.destroy();
    }
  }
  const server = createServer((client) => {
    const broker = connect(brokerPort, '127.0.0.1');
    for (const socket of [client, broker]) {
      open.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => open.delete(socket));
    }
    void pass(client, broker);
    void pass(broker, client);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return server;
}
