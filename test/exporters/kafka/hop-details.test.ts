import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hopColumns } from '../../../src/exporters/kafka/hop-columns.ts';
import { hopRows } from '../../../src/exporters/kafka/hop-records.ts';
import { detailedPath, pingPath } from '../../fixtures/packet-paths.ts';

const origin = { host: 'a', bootId: 'b' };
const columns = [
  'caller',
  'stack',
  'tunnel_transport',
  'tunnel_source_address',
  'tunnel_source_port',
  'tunnel_destination_address',
  'tunnel_destination_port',
  'metadata',
  'map_id',
  'map_name',
  'map_type',
  'map_key',
  'map_value',
] as const;

test('details of a call are columns of its row, as text where they are lists', () => {
  const calls = detailedPath().lives.flatMap((life) => life.calls);
  const rows = hopRows(detailedPath(), origin);
  assert.deepEqual(
    columns.map((name) => rows[0]?.[name]),
    [
      'iptunnel_xmit+0x17b',
      'iptunnel_xmit+0x17b;vxlan_xmit_one+0x8f1;0xffffffffc09f0010',
      'icmp',
      '10.9.0.1',
      null,
      '10.9.0.2',
      null,
      'skb->hash=18446744073709551615;skb->skb_iif=-1;skb->dev->mtu=null',
      null,
      null,
      null,
      null,
      null,
    ],
  );
  const at = calls.findIndex(({ detail }) => detail?.map !== undefined);
  const map = calls[at]?.detail?.map;
  assert.ok(map !== undefined);
  assert.deepEqual(
    columns.slice(-5).map((name) => rows[at]?.[name]),
    [map.id, map.name, map.type, map.key, map.value ?? null],
  );
});

test('they are columns of the schema, and rows without details do not have them', () => {
  const known = hopColumns();
  assert.deepEqual(
    columns.filter((name) => !known.has(name)),
    [],
  );
  for (const row of hopRows(pingPath(), origin))
    assert.deepEqual(
      columns.filter((name) => name in row),
      [],
    );
});
