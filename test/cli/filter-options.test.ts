import assert from 'node:assert/strict';
import test from 'node:test';
import {
  type FilterFlags,
  type FilterOptions,
  parseFilterOptions,
} from '../../src/cli/filter-options.ts';

const noFilter: FilterOptions = {
  packet: undefined,
  tunnelLink: undefined,
  tunnelNetwork: undefined,
  mark: undefined,
  ifname: undefined,
  process: undefined,
  cgroup: undefined,
  container: undefined,
  direction: undefined,
  expression: undefined,
  sampleRate: undefined,
};

test('each filter is read', () => {
  const table: readonly (readonly [FilterFlags, string[], Partial<FilterOptions>])[] = [
    [{}, [], {}],
    [{}, ['tcp', 'port', '80'], { packet: 'tcp port 80' }],
    [{}, ['tcp[13] & 2 != 0'], { packet: 'tcp[13] & 2 != 0' }],
    [{}, [''], {}],
    [{ filterMark: '0' }, [], { mark: { value: 0, mask: 0xffffffff } }],
    [{ filterMark: '0xffffffff' }, [], { mark: { value: 0xffffffff, mask: 0xffffffff } }],
    // As pwru does: what the mask leaves out of the value does not count.
    [{ filterMark: '0xff/0xf0' }, [], { mark: { value: 0xf0, mask: 0xf0 } }],
    [{ filterMark: '0/0x80000000' }, [], { mark: { value: 0, mask: 0x80000000 } }],
    [{ filterIfname: 'eth0.7@if2' }, [], { ifname: 'eth0.7@if2' }],
    [{ filterPid: '17' }, [], { process: 17 }],
    [{ filterDirection: 'receive' }, [], { direction: 'receive' }],
    [{ filterMinLen: '0' }, [], { expression: 'skb->len >= 0' }],
    [{ filterSkbExpr: 'skb->mark' }, [], { expression: 'skb->mark' }],
    [
      { filterSkbExpr: 'skb->mark || skb->hash', filterMinLen: '9' },
      [],
      { expression: '(skb->len >= 9) && (skb->mark || skb->hash)' },
    ],
    [{ sample: '1/1000' }, [], { sampleRate: 1000 }],
    [{ sample: '7' }, [], { sampleRate: 7 }],
    [
      { filterTunnelPcapL2: 'arp', filterTunnelPcapL3: 'ip' },
      [],
      { tunnelLink: 'arp', tunnelNetwork: 'ip' },
    ],
  ];
  for (const [flags, words, want] of table) {
    const problems: string[] = [];
    const options = parseFilterOptions(flags, words, problems);
    assert.deepEqual(problems, []);
    assert.deepEqual(options, { ...noFilter, ...want }, JSON.stringify(flags));
  }
});

test('every mistake is told', () => {
  const mistakes: FilterFlags[] = [
    { filterMark: '' },
    { filterMark: '4294967296' },
    { filterMark: '0x1g' },
    { filterMark: '1/2/3' },
    { filterMark: '1/' },
    { filterMark: '-1' },
    { filterIfname: 'more-than-15-bytes' },
    { filterIfname: 'a b' },
    { filterIfname: '' },
    { filterPid: '0' },
    { filterPid: 'init' },
    { filterDirection: 'up' },
    { filterMinLen: '0x10' },
    { sample: '0' },
    { sample: '2/3' },
    { filterContainer: 'ab' },
    { filterCgroup: '' },
    { filterCgroup: 'a', filterContainer: 'abcd' },
  ];
  for (const flags of mistakes) {
    const problems: string[] = [];
    parseFilterOptions(flags, [], problems);
    assert.equal(problems.length, 1, JSON.stringify(flags));
    assert.match(problems[0] ?? '', /^--(filter-|sample)/);
  }
});
