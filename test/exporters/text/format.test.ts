import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import {
  clean,
  codeLocation,
  duration,
  flowText,
  offsetWriter,
  place,
  taskName,
  timeOfDay,
} from '../../../src/exporters/text/format.ts';
import { device, flow, location, task } from '../../fixtures/packet-path-parts.ts';

process.env['TZ'] = 'UTC';

describe('clean', () => {
  const table: readonly (readonly [name: string, text: string, want: string])[] = [
    ['leaves plain text', 'eth0.100-á漢😀', 'eth0.100-á漢😀'],
    ['escape sequences', '\u001b[31mx\u001b]0;t\u0007', '\\x1b[31mx\\x1b]0;t\\x07'],
    ['line breaks and tabs', 'a\nb\rc\td', 'a\\x0ab\\x0dc\\x09d'],
    ['DEL and C1', '\u007f\u009b31m\u0085', '\\x7f\\x9b31m\\x85'],
    ['bidirectional marks', 'a\u202eb\u2066c\u200fd', 'a\\u202eb\\u2066c\\u200fd'],
    ['zero-width', 'a\u200bb\ufeff', 'a\\u200bb\\ufeff'],
    ['line separators', 'a\u2028b\u2029', 'a\\u2028b\\u2029'],
    ['half a surrogate pair', 'a\ud800b\udc00', 'a\\ud800b\\udc00'],
  ];
  for (const [name, text, want] of table) {
    test(name, () => {
      assert.equal(clean(text), want);
    });
  }
});

describe('duration', () => {
  const table: readonly (readonly [ns: number, want: string])[] = [
    [0, '0ns'],
    [999, '999ns'],
    [1_000, '1.0us'],
    [12_140, '12.1us'],
    [99_949, '99.9us'],
    [99_950, '100us'],
    [999_499, '999us'],
    [999_500, '1.0ms'],
    [3_100_000, '3.1ms'],
    [999_499_999, '999ms'],
    [999_500_000, '1.0s'],
    [125_000_000_000, '125s'],
  ];
  for (const [ns, want] of table) {
    test(want, () => {
      assert.equal(duration(ns), want);
    });
  }
});

test('offsets of one path share a unit, finer the shorter the path', () => {
  assert.equal(offsetWriter(1_999)(340), '+340ns');
  assert.equal(offsetWriter(50_000)(340), '+0.34us');
  assert.equal(offsetWriter(5_000_000)(3_100_940), '+3100.9us');
  assert.equal(offsetWriter(5_000_000_000)(3_100_940), '+3.101ms');
  assert.equal(offsetWriter(50_000_000_000)(3_100_940), '+0.003101s');
});

test('time of day keeps leading zeros', () => {
  assert.equal(timeOfDay(1_787_350_400_000_000_999n), '22:13:20.000000');
  assert.equal(timeOfDay(1_787_350_400_000_045_999n), '22:13:20.000045');
});

describe('flowText', () => {
  const base = { network: 'ipv6', transport: 'tcp' } as const;
  const table = [
    { name: 'none', input: undefined, want: 'headers not seen' },
    {
      name: 'no addresses',
      input: flow({ network: 'other', transport: 'ethertype-0x88cc' }),
      want: 'ethertype-0x88cc',
    },
    {
      name: 'IPv6 with ports and flags',
      input: flow({
        ...base,
        sourceAddress: '::1',
        sourcePort: 0,
        destinationAddress: '::2',
        destinationPort: 443,
        tcpFlags: 'S.',
      }),
      want: 'tcp [::1]:0 > [::2]:443 [S.]',
    },
    {
      name: 'IPv6 without ports',
      input: flow({ ...base, sourceAddress: '::1', destinationAddress: '::2' }),
      want: 'tcp ::1 > ::2',
    },
    {
      name: 'one address only',
      input: flow({ ...base, destinationAddress: '::2' }),
      want: 'tcp ? > ::2',
    },
    {
      name: 'hostile detail',
      input: flow({
        network: 'arp',
        transport: 'arp',
        sourceAddress: '1.2.3.4',
        detail: 'x\u001b[2J',
      }),
      want: 'arp 1.2.3.4 > ? x\\x1b[2J',
    },
  ];
  for (const { name, input, want } of table) {
    test(name, () => {
      assert.equal(flowText(input), want);
    });
  }
});

test('places', () => {
  assert.equal(place(device(0, '')), '');
  assert.equal(place(device(7, '')), 'netns:7');
  assert.equal(place(device(7, 'blue', 3)), 'blue:if3');
  assert.equal(place(device(7, 'blue', 3, 'a\u001bb')), 'blue:a\\x1bb');
});

test('tasks', () => {
  assert.equal(taskName(task(0, 'swapper/3')), 'idle');
  assert.equal(taskName(task(5, '')), '?[5]');
  assert.equal(taskName(task(5, 'a\nb')), 'a\\x0ab[5]');
});

test('locations', () => {
  assert.equal(codeLocation(location('veth_xmit', 0x1f, 'veth')), 'veth_xmit+0x1f [veth]');
  assert.equal(
    codeLocation({ ...location('', 0), address: 0xffff_ffff_c012_3456n }),
    '0xffffffffc0123456',
  );
});
