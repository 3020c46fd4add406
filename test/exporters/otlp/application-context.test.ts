import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import test, { type TestContext } from 'node:test';
import { connect as connectHttp2 } from 'node:http2';
import type { PacketPath } from '../../../src/event/packet-path.ts';
import { findApplicationContext } from '../../../src/exporters/otlp/application-context.ts';
import { parseSpanId } from '../../../src/exporters/otlp/span-ids.ts';
import { describeSpans } from '../../../src/exporters/otlp/spans.ts';
import { device, flow, sight } from '../../fixtures/packet-path-parts.ts';
import { pingPath } from '../../fixtures/packet-paths.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';
const traceparent = `00-${traceId}-${spanId}-01`;

/** A TCP packet with these options (hex, padded) and payload. */
function tcpPath(options: string, payload: Uint8Array): PacketPath {
  const padded = options.padEnd(Math.ceil(options.length / 8) * 8, '0');
  const offset = ((20 + padded.length / 2) / 4).toString(16);
  const tcp = `9c4001bb 11111111 22222222 ${offset}0187210 00000000`.replaceAll(' ', '');
  const bytes = `45000000 00000000 40060000 0a070001 0a070002${tcp.slice(0, 26)}187210aaaa0000${padded}`;
  const packet = sight(bytes + Buffer.from(payload).toString('hex'), {
    device: device(1, 'a'),
    len: 100,
    flow: flow({ network: 'ipv4', transport: 'tcp' }),
  });
  const path = pingPath();
  return {
    ...path,
    lives: path.lives.map((life, index) => ({ ...life, packets: index === 0 ? [packet] : [] })),
  };
}

/** The bytes that a client sends to a server that answers nothing. */
async function sentBy(t: TestContext, client: (port: number) => void): Promise<Buffer> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const received: Buffer[] = [];
  const sent = new Promise<Buffer>((resolve) => {
    server.on('connection', (socket) => {
      t.after(() => socket.destroy());
      socket.on('error', () => undefined);
      socket.on('data', (data: Buffer) => {
        received.push(data);
        const all = Buffer.concat(received);
        // HTTP/2 sends its preface and settings first.
        if (all.length > 150) resolve(all);
      });
    });
  });
  client((server.address() as AddressInfo).port);
  return sent;
}

test('HTTP/1.1 as Node sends it', async (t) => {
  const payload = await sentBy(t, (port) => {
    request({
      port,
      host: '127.0.0.1',
      path: '/a',
      headers: { TraceParent: traceparent, accept: 'x'.repeat(80) },
    })
      .on('error', () => undefined)
      .end();
  });
  assert.deepEqual(findApplicationContext(tcpPath('', payload)), {
    traceId,
    spanId,
    source: 'http',
  });
});

test("h2c as nghttp2 sends it, in Huffman's code", async (t) => {
  const payload = await sentBy(t, (port) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    t.after(() => {
      session.destroy();
    });
    session.on('error', () => undefined);
    session
      .request({ ':path': '/a', traceparent, accept: 'x'.repeat(80) })
      .on('error', () => undefined)
      .end();
  });
  assert.deepEqual(findApplicationContext(tcpPath('', payload)), {
    traceId,
    spanId,
    source: 'h2c',
  });
});

test('h2c as text', () => {
  const payload = Buffer.from(`\0\0\0\x40\x0btraceparent\x37${traceparent}rest`, 'latin1');
  assert.deepEqual(findApplicationContext(tcpPath('', payload)), {
    traceId,
    spanId,
    source: 'h2c',
  });
});

const options: readonly (readonly [name: string, hex: string, found: boolean])[] = [
  ['26 bytes', `191a${traceId}${spanId}`, true],
  ['27 bytes, not sampled', `191b${traceId}${spanId}00`, true],
  ['after a timestamp', `0101080a0000000100000002191a${traceId}${spanId}`, true],
  ['25 bytes', `1919${traceId}${spanId.slice(2)}`, false],
  ['28 bytes', `191c${traceId}${spanId}0000`, false],
  ['after the end of options', `00191a${traceId}${spanId}`, false],
  ['an option of length 0 before', `0200191a${traceId}${spanId}`, false],
  ['ids of zeros', `191a${'00'.repeat(24)}`, false],
];
for (const [name, hex, found] of options)
  test(`TCP option 25: ${name}`, () => {
    const want = found ? { traceId, spanId, source: 'tcp-option' } : undefined;
    assert.deepEqual(findApplicationContext(tcpPath(hex, Buffer.alloc(0))), want);
  });

const texts: readonly string[] = [
  `\r\ntraceparent: 00-${traceId}-${spanId}`,
  `\r\ntraceparent: ff-${traceId}-${spanId}-01\r\n`,
  `\r\ntraceparent: 00-${'0'.repeat(32)}-${spanId}-01\r\n`,
  `\r\ntraceparent: 00-${traceId.toUpperCase()}-${spanId}-01\r\n`,
  `\r\ntraceparent: 00-${traceId}-${spanId.slice(0, 9)}`,
  `x-traceparent: ${traceparent}`,
  '\x0btraceparent\x37',
  '',
];
for (const text of texts)
  test(`no context: ${JSON.stringify(text)}`, () => {
    assert.equal(findApplicationContext(tcpPath('', Buffer.from(text, 'latin1'))), undefined);
  });

test('no bytes make it fail', () => {
  const path = tcpPath(
    `191a${traceId}${spanId}`,
    Buffer.from(`\r\ntraceparent: ${traceparent}\r\n`),
  );
  const [packet] = path.lives[0]?.packets ?? [];
  assert.ok(packet !== undefined);
  for (let length = 0; length < packet.bytes.length; length++) {
    const cut = { ...packet, bytes: packet.bytes.subarray(0, length) };
    const lives = path.lives.map((life) => ({ ...life, packets: [cut] }));
    findApplicationContext({ ...path, lives });
  }
});

test('the root has a link to it, or is its child, or neither', () => {
  const path = tcpPath(`191a${traceId}${spanId}`, Buffer.alloc(0));
  const rootOf = (join?: 'link' | 'child' | 'off') => {
    const spans = describeSpans(path, { clones: 'same_trace', timeScale: 1, join });
    const [root] = spans;
    assert.ok(root !== undefined);
    assert.ok(spans.every(({ context }) => context.traceId === root.context.traceId));
    return root;
  };
  const linked = rootOf();
  assert.equal(linked.context.traceId, path.traceId);
  assert.deepEqual(linked.links, [
    {
      context: { traceId, spanId: parseSpanId(spanId) },
      attributes: ['skbspan.link.source', 'tcp-option'],
    },
  ]);
  const child = rootOf('child');
  assert.equal(child.context.traceId, traceId);
  assert.deepEqual(child.parent, { traceId, spanId: parseSpanId(spanId) });
  assert.deepEqual(child.links, []);
  assert.deepEqual(rootOf('off').links, []);
});
