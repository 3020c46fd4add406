import assert from 'node:assert/strict';
import test from 'node:test';
import { createAssembler } from '../../src/filter/assembler.ts';
import { type ClassicInstruction, decodeClassic, encodeClassic } from '../../src/filter/classic.ts';
import { compilePcapFilter } from '../../src/filter/pcap-filter.ts';
import { translate } from '../../src/filter/translate.ts';

const plain = (code: number, k = 0): ClassicInstruction => ({ code, jt: 0, jf: 0, k });
const program = (...instructions: ClassicInstruction[]) => [
  { window: 0, instructions, linkHeaderBytes: 14 },
];

test('classic instructions are decoded as they are encoded', () => {
  const instructions = [
    { code: 0x28, jt: 0, jf: 0, k: 12 },
    { code: 0x15, jt: 1, jf: 255, k: 0xffffffff },
    { code: 0x06, jt: 0, jf: 0, k: 0 },
  ];
  assert.deepEqual(decodeClassic(encodeClassic(instructions)), instructions);
});

test('code that nothing reaches is left out, and jumps still meet', () => {
  const to = createAssembler();
  const end = to.label();
  to.alu32('mov', 0, 1);
  to.jump(end);
  to.alu32('mov', 0, 2);
  to.place(end);
  to.exit();
  const { instructions } = to.finish();
  const view = new DataView(instructions.buffer);
  assert.equal(instructions.length, 3 * 8);
  assert.equal(view.getUint8(8), 0x05);
  assert.equal(view.getInt16(8 + 2, true), 0);
  assert.equal(view.getUint8(16), 0x95);
});

test('what no compiler makes is an error of ours, not code', () => {
  const cases: readonly (readonly [string, ClassicInstruction[]])[] = [
    ['a load of an unknown kind', [plain(0xe0), plain(0x06)]],
    ['a load of 8 bytes', [plain(0x38), plain(0x06)]],
    ['memory beyond its 16 words', [plain(0x02, 16), plain(0x06)]],
    ['a jump by an unknown condition', [plain(0x65), plain(0x06)]],
    ['a jump out of the program', [plain(0x05, 7), plain(0x06)]],
    ['no end', [plain(0x00)]],
  ];
  for (const [name, instructions] of cases) {
    assert.throws(() => translate(program(...instructions)), { code: 'SKBSPAN_INTERNAL' }, name);
  }
});

test('a program whose jumps are too far for eBPF is refused with advice', () => {
  const load = plain(0x50, 3); // A = packet[X + 3]
  const instructions = [
    plain(0x05, 4000),
    ...Array.from({ length: 4000 }, () => load),
    plain(0x06),
  ];
  instructions[0] = { code: 0x15, jt: 0, jf: 0, k: 1 };
  const many = Array.from({ length: 3 }, (_, window) => ({
    window,
    instructions,
    linkHeaderBytes: 0,
  }));
  assert.throws(() => translate(many), { code: 'SKBSPAN_USAGE', message: /too large/ });
});

test('all bad expressions come in one message, each with its option', () => {
  const bad = { packet: 'tcp prt 80', tunnelLink: 'port 99999', tunnelNetwork: 'ip' };
  assert.throws(() => compilePcapFilter(bad), {
    code: 'SKBSPAN_USAGE',
    message: /filter 'tcp prt 80': .*syntax error[^]*--filter-tunnel-pcap-l2 'port 99999': illegal/,
  });
  const none = { packet: undefined, tunnelLink: undefined, tunnelNetwork: undefined };
  assert.equal(compilePcapFilter(none), undefined);
});
