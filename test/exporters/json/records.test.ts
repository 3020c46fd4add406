import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';

import type { PacketPath } from '../../../src/event/packet-path.ts';
import {
  jsonLine,
  pathLines,
  pathRecord,
  summaryRecord,
} from '../../../src/exporters/json/records.ts';
import { isoTime } from '../../../src/exporters/json/times.ts';
import { createTextExporter } from '../../../src/exporters/text/text-exporter.ts';
import { allPaths, packetPaths, pingPath, tcpSegmentPath } from '../../fixtures/packet-paths.ts';
import { someStatistics } from '../../pipeline/stub-exporter.ts';
import { collect } from '../text/collect.ts';
import { revivePath } from './revive.ts';

async function printed(path: PacketPath, format: 'tree' | 'table'): Promise<string> {
  const { output, text } = collect();
  await createTextExporter({ output, format, color: false }).export([path]);
  return text();
}

describe('path records', () => {
  for (const [name, path] of Object.entries(allPaths())) {
    test(`${name}: a reader gets back the path itself, and so everything that the text shows`, async () => {
      const back = revivePath(jsonLine(pathRecord(path)));
      assert.deepEqual(back, path);
      for (const format of ['tree', 'table'] as const) {
        assert.equal(await printed(back, format), await printed(path, format));
      }
    });
  }

  test('numbers that do not fit a double are text', () => {
    const path = tcpSegmentPath();
    const record = JSON.parse(jsonLine(pathRecord(path))) as Record<string, unknown>;
    assert.equal(record['schema'], 'skbspan.path/1');
    assert.equal(record['start_time_ns'], '1787350400123456789');
    assert.equal(record['time'], '2026-08-21T22:13:20.123456789Z');
    const text = jsonLine(pathRecord(path));
    assert.match(text, /"skb":"0xffff88810b000100"/);
    assert.match(text, /"return_value":"0xffff88810b0002e0"/);
    assert.match(text, /"cgroup":"6700"/);
  });

  test('one line each, whatever the names hold', () => {
    const path = tcpSegmentPath();
    const evil = 'a\n\u001b[31m\u007f\u009b\u2028\ud800"\\';
    const record = { ...path, traceId: evil };
    for (const line of [jsonLine(pathRecord(record)), pathLines([record]).toString()]) {
      assert.equal(line.indexOf('\n'), line.length - 1);
      assert.doesNotMatch(line.slice(0, -1), /[\u0000-\u001f\u007f-\u009f\ud800]/);
      assert.equal((JSON.parse(line) as { trace_id: string }).trace_id, evil);
    }
  });

  test('what many calls share is told as it is at each of them', () => {
    const path = pingPath();
    const [life] = path.lives;
    const [call] = life?.calls ?? [];
    assert.ok(life !== undefined && call !== undefined);
    const other = { ...call.device, name: 'other0' };
    const calls: (typeof call)[] = [
      call,
      { ...call, cpu: 7 },
      { ...call, cpu: 7, len: 1 },
      { ...call, mark: 5 },
      { ...call, protocol: 6 },
      { ...call, device: other },
      { ...call, device: other, task: { ...call.task, comm: 'x"\u0085é' } },
      call,
    ];
    const { lives } = pathRecord({ ...path, lives: [{ ...life, calls }] }) as unknown as {
      readonly lives: readonly { readonly calls: readonly Record<string, unknown>[] }[];
    };
    const told = lives[0]?.calls ?? [];
    assert.deepEqual(
      told.map(({ cpu, len, mark, protocol }) => ({ cpu, len, mark, protocol })),
      calls.map(({ cpu, len, mark, protocol }) => ({ cpu, len, mark, protocol })),
    );
    assert.deepEqual(
      told.map(({ device, task }) => [
        (device as { name: string }).name,
        (task as { comm: string }).comm,
      ]),
      calls.map(({ device, task }) => [device.name, task.comm]),
    );
  });

  test('every path has the same fields: unknown is null, not left out', () => {
    const keys = (value: unknown, at: string, into: Map<string, string>): void => {
      if (Array.isArray(value)) for (const each of value) keys(each, `${at}[]`, into);
      else if (typeof value === 'object' && value !== null) {
        const names = Object.keys(value).join();
        assert.equal(into.get(at) ?? names, names, at);
        into.set(at, names);
        for (const [name, each] of Object.entries(value)) keys(each, `${at}.${name}`, into);
      }
    };
    const into = new Map<string, string>();
    for (const path of Object.values(packetPaths())) {
      keys(JSON.parse(jsonLine(pathRecord(path))), '', into);
    }
    assert.ok(into.size > 10);
  });
});

test('the summary has all counts', () => {
  assert.deepEqual(JSON.parse(jsonLine(summaryRecord(someStatistics))), {
    schema: 'skbspan.summary/1',
    events: 100,
    lives: 10,
    paths: 9,
    drops: { NETFILTER_DROP: 1 },
    losses: { ring_full: 3, export_queue: 0 },
  });
});

test('times keep their nanoseconds', () => {
  assert.equal(isoTime(0n), '1970-01-01T00:00:00.000000000Z');
  assert.equal(isoTime(1_787_350_400_000_000_001n), '2026-08-21T22:13:20.000000001Z');
});

test('docs/json.md describes every field, and no other', () => {
  const fields = new Set<string>();
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(walk);
    else if (typeof value === 'object' && value !== null) {
      for (const [name, each] of Object.entries(value)) {
        fields.add(name);
        // Members of the kernel's structs.
        if (typeof each === 'object' && ['skb', 'shared_info'].includes(name)) continue;
        // Their keys are causes and reasons.
        if (name !== 'drops' && name !== 'losses') walk(each);
        else if (Array.isArray(each)) each.forEach(walk);
      }
    }
  };
  for (const path of Object.values(packetPaths())) walk(pathRecord(path));
  walk(summaryRecord(someStatistics));
  const text = readFileSync(new URL('../../../docs/json.md', import.meta.url), 'utf8');
  const described = new Set(
    [...text.matchAll(/^\| `([a-z_]+)` +\|/gm)].map(([, name]) => name ?? ''),
  );
  assert.deepEqual([...described].sort(), [...fields].sort());
});
