// Speaks as a Kafka broker of 0.9 did: knows Produce, Fetch, Metadata and the like in their first versions, and hangs up on others,
// ApiVersions among them, which is of 0.10. With `versions` it answers that one, as 0.10.0 did.
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { createServer, type AddressInfo, type Socket } from 'node:net';

const API_VERSIONS = 18;

/** Kafka 0.10.0: api, first and last version. */
const versionsOf0100 = [
  [0, 0, 2],
  [1, 0, 2],
  [2, 0, 0],
  [3, 0, 1],
  [8, 0, 2],
  [9, 0, 1],
  [10, 0, 0],
  [11, 0, 0],
  [12, 0, 0],
  [13, 0, 0],
  [14, 0, 0],
  [17, 0, 0],
  [18, 0, 0],
] as const;

/**
 * ApiVersionsResponse v0: correlation id, error code, then api, first and last version each. Whoever asked in a later version gets
 * error 35 (UNSUPPORTED_VERSION) and the same list, as KIP-511 has it.
 */
function answerVersions(correlation: number, version: number): Buffer {
  const body = Buffer.alloc(4 + 4 + 2 + 4 + versionsOf0100.length * 6);
  body.writeInt32BE(body.length - 4, 0);
  body.writeInt32BE(correlation, 4);
  body.writeInt16BE(version === 0 ? 0 : 35, 8);
  body.writeInt32BE(versionsOf0100.length, 10);
  for (const [index, numbers] of versionsOf0100.entries()) {
    for (const [at, number] of numbers.entries())
      body.writeInt16BE(number, 14 + index * 6 + at * 2);
  }
  return body;
}

/** Gives its address. */
export async function startOldBroker(t: TestContext, release: '0.9' | '0.10'): Promise<string> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => open.delete(socket));
    let rest = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
        const request = rest.subarray(4, 4 + rest.readInt32BE(0));
        rest = rest.subarray(4 + request.length);
        const isKnown = request.readInt16BE(0) === API_VERSIONS && release === '0.10';
        if (!isKnown) socket.destroy();
        else socket.write(answerVersions(request.readInt32BE(4), request.readInt16BE(2)));
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}
