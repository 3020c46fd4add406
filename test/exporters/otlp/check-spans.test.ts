// checkSpans guards the tests with a real backend; here it is shown that it notices.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createResources } from '../../../src/exporters/otlp/resources.ts';
import { packetPathToSpans } from './readable-spans.ts';
import { droppedPath, tcpSegmentPath } from '../../fixtures/packet-paths.ts';
import { checkSpans, recordOf } from './check-spans.ts';
import { seenFromReadable, type SeenSpan } from './seen-span.ts';

const resources = await createResources({ serviceName: undefined, timeScale: 1 });
const options = { clones: 'same_trace', timeScale: 1, resources, scope: { name: 't' } } as const;

const changes: { name: string; of: string; change: (span: SeenSpan) => Partial<SeenSpan> }[] = [
  { name: 'another name', of: 'ip_rcv', change: () => ({ name: 'ip_rcv2' }) },
  { name: 'a start 1 ns off', of: 'ip_rcv', change: (span) => ({ startNs: span.startNs + 1n }) },
  { name: 'an end 1 ns off', of: 'ip_rcv', change: (span) => ({ endNs: span.endNs + 1n }) },
  { name: 'another parent', of: 'ip_rcv', change: () => ({ parentSpanId: '0000000000000001' }) },
  { name: 'another trace', of: 'ip_rcv', change: () => ({ traceId: '0'.repeat(32) }) },
  { name: 'no link', of: 'clone', change: () => ({ links: [] }) },
  { name: 'no attributes', of: 'ip_rcv', change: () => ({ attributes: {} }) },
  { name: 'another namespace', of: 'ip_rcv', change: () => ({ resource: {} }) },
  { name: 'an error too many', of: 'packet tcp', change: () => ({ error: 'x' }) },
  { name: 'an error too few', of: 'packet udp', change: () => ({ error: undefined }) },
];
for (const { name, of, change } of changes)
  test(`it notices ${name}`, () => {
    const path = of === 'packet udp' ? droppedPath() : tcpSegmentPath();
    const spans = seenFromReadable(packetPathToSpans(path, options));
    checkSpans(recordOf(path), spans);
    const changed = spans.map((span) => (span.name === of ? { ...span, ...change(span) } : span));
    assert.notDeepEqual(changed, spans);
    assert.throws(() => {
      checkSpans(recordOf(path), changed);
    }, assert.AssertionError);
  });

test('it notices a missing span', () => {
  const spans = seenFromReadable(packetPathToSpans(tcpSegmentPath(), options));
  assert.throws(() => {
    checkSpans(recordOf(tcpSegmentPath()), spans.slice(1));
  }, assert.AssertionError);
});
