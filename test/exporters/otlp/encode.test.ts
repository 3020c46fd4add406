import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import { createEncoder } from '../../../src/exporters/otlp/encode.ts';
import { createProtobufWriter } from '../../../src/exporters/otlp/protobuf-writer.ts';
import { createResources } from '../../../src/exporters/otlp/resources.ts';
import { parseSpanId } from '../../../src/exporters/otlp/span-ids.ts';
import type { SpanParts } from '../../../src/exporters/otlp/span-parts.ts';
import { describeSpans } from '../../../src/exporters/otlp/spans.ts';
import { packetPaths } from '../../fixtures/packet-paths.ts';
import { decodeRequest } from './decode-request.ts';
import { longPath } from './long-path.ts';
import { packetPathToSpans } from './readable-spans.ts';

const scope = { name: 'skbspan', version: '1.2.3' };

describe("a request says what OpenTelemetry's serializer says", () => {
  const paths = { ...packetPaths(), long: longPath(3000) };
  for (const [name, path] of Object.entries(paths))
    for (const clones of ['same_trace', 'own_trace'] as const)
      for (const timeScale of [1, 1000])
        test(`${name}, ${clones}, time scale ${timeScale}`, async () => {
          const resources = await createResources({ serviceName: undefined, timeScale });
          const ready = packetPathToSpans(path, { clones, timeScale, resources, scope });
          const want = ProtobufTraceSerializer.serializeRequest(ready) ?? new Uint8Array();

          const encode = createEncoder({ timeScale, resources, scope });
          const spans = describeSpans(path, { clones, timeScale });
          encode(spans);
          const got = encode(spans);

          assert.deepEqual(decodeRequest(got), decodeRequest(want));
        });
});

test('every kind of value, and text of any script', () => {
  const span: SpanParts = {
    name: 'пакет 📦',
    context: { traceId: '00'.repeat(15) + 'ff', spanId: parseSpanId('fedcba9876543210') },
    parent: undefined,
    epoch: { low: 0xffff_ffff, high: 1 },
    offsetNs: 1,
    endOffsetNs: 2 ** 33,
    device: undefined,
    attributes: Object.entries({
      text: 'x'.repeat(200),
      umlaut: 'ä',
      zero: 0,
      large: Number.MAX_SAFE_INTEGER,
      seven: 127,
      eight: 128,
      half: 0.5,
      minus: -3,
      yes: true,
      no: false,
      list: ['a', 'b'],
      numbers: [1, 300],
      empty: [],
    }).flat(),
  };
  const encode = createEncoder({
    timeScale: 1,
    scope: { name: 's' },
    resources: () => resourceFromAttributes({}),
  });
  const [first] = decodeRequest(encode([span])) as {
    scopes: {
      spans: { name: string; start: bigint; end: bigint; attributes: [string, unknown][] }[];
    }[];
  }[];
  const seen = first?.scopes[0]?.spans[0];
  assert.ok(seen !== undefined);
  assert.equal(seen.name, 'пакет 📦');
  assert.equal(seen.start, 0x2_0000_0000n, 'carries into the upper half');
  assert.equal(seen.end, 0x1_ffff_ffffn + 2n ** 33n);
  assert.deepEqual(Object.fromEntries(seen.attributes), {
    text: 'x'.repeat(200),
    umlaut: 'ä',
    zero: 0n,
    large: BigInt(Number.MAX_SAFE_INTEGER),
    seven: 127n,
    eight: 128n,
    half: 0.5,
    minus: -3,
    yes: true,
    no: false,
    list: ['a', 'b'],
    numbers: [1n, 300n],
    empty: [],
  });
});

test('a writer that began too small grows', () => {
  const writer = createProtobufWriter(1);
  for (let i = 0; i < 100; i++) writer.text(`${i}`);
  writer.raw(new Uint8Array(1000).fill(7));
  const bytes = writer.take();
  assert.deepEqual([...bytes.subarray(0, 1000)], new Array<number>(1000).fill(7));
  assert.equal(Buffer.from(bytes.subarray(1000, 1003)).toString(), '\x0299');
  assert.equal(writer.take().length, 0);
});
