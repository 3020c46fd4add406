/**
 * The translation of filters against libpcap's own interpreter: each filter runs in this kernel over a table of packets, and
 * every verdict must be the same.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readsInPlace } from '../../src/collector/candidates.ts';
import { filterWindow } from '../../src/event/layout.ts';
import { type PcapMatcher, withClassicMatcher, withPcapMatcher } from '../../src/ffi/libpcap.ts';
import { encodeClassic } from '../../src/filter/classic.ts';
import type { Code } from '../../src/filter/assembler.ts';
import { compilePcapFilter } from '../../src/filter/pcap-filter.ts';
import { translate } from '../../src/filter/translate.ts';
import { cannotLoad } from '../ffi/sample-object.ts';
import { compileDifferential, fitting, loadFilter } from '../filter/differential.ts';
import { expressions } from '../filter/expressions.ts';
import { createPackets, createRandom, type Packet } from '../filter/packets.ts';
import { randomProgram } from '../filter/random-programs.ts';

const skip = cannotLoad();
const folder = mkdtempSync(join(tmpdir(), 'skbspan-filter-'));
after(() => {
  rmSync(folder, { recursive: true });
});
const object = join(folder, 'differential.bpf.o');
if (skip === false) compileDifferential(object);

const linkHeaderBytes = 14;
const packets = fitting(createPackets(2000, 42));
const inPlace = skip === false ? readsInPlace() : undefined;

/** Fails with the first packet whose verdict differs; returns how many matched. */
function compare(
  what: string,
  among: readonly Packet[],
  without: number,
  verdicts: Uint8Array,
  matches: PcapMatcher,
): number {
  let hits = 0;
  among.forEach(({ bytes, wireLength }, index) => {
    if (bytes.length < without) return;
    const want = matches(bytes.subarray(without), wireLength - without);
    if (want) hits++;
    if (want === (verdicts[index] === 1)) return;
    const packet = Buffer.from(bytes).toString('hex');
    assert.fail(`${what}: packet ${index} (${packet}): want ${want}, got ${verdicts[index]}`);
  });
  return hits;
}

/** Compares one expression in both windows, with each way of reading; returns how many packets matched it. */
function compareExpression(expression: string, among: readonly Packet[]): number {
  const expressionsOf = { packet: expression, tunnelLink: undefined, tunnelNetwork: undefined };
  const filter = compilePcapFilter(expressionsOf);
  assert.ok(filter !== undefined);
  const hits = compareCode(expression, filter.code(), among);
  if (inPlace !== undefined)
    assert.equal(compareCode(expression, filter.code(inPlace), among), hits);
  return hits;
}

function compareCode(expression: string, code: Code, among: readonly Packet[]): number {
  const loaded = loadFilter(object, code, among);
  try {
    const link = loaded.run(filterWindow.link, 0);
    const network = loaded.run(filterWindow.network, linkHeaderBytes);
    const hits = withPcapMatcher(expression, 'ethernet', (matches) =>
      compare(`${expression} (Ethernet)`, among, 0, link, matches),
    );
    const compareRaw = (matches: PcapMatcher): number =>
      compare(`${expression} (IP)`, among, linkHeaderBytes, network, matches);
    try {
      return hits + withPcapMatcher(expression, 'raw', compareRaw);
    } catch (error) {
      if (!isUsageError(error)) throw error;
      assert.ok(
        network.every((verdict) => verdict !== 1),
        `${expression} means nothing without an Ethernet header, but matches`,
      );
      return hits;
    }
  } finally {
    loaded.close();
  }
}

const isUsageError = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'SKBSPAN_USAGE';

test('every primitive gives the verdicts of libpcap on 2,000 packets', { skip }, (t) => {
  assert.ok(expressions.length >= 300, `${expressions.length} expressions`);
  const without = expressions.filter((expression) => compareExpression(expression, packets) === 0);
  const ways = inPlace === undefined ? 'by probe reads only' : 'by probe reads and in place';
  t.diagnostic(
    `${expressions.length} expressions, ${packets.length} packets, two windows, ${ways}`,
  );
  // An expression that nothing matches proves little.
  assert.ok(without.length <= expressions.length / 30, `match nothing: ${without.join(', ')}`);
});

test('random combinations of expressions', { skip }, (t) => {
  const random = createRandom(7);
  const some = packets.slice(0, 500);
  // After `geneve` libpcap's code reads memory that it has not written: its interpreter then finds what lay on the stack.
  const definite = expressions.filter((expression) => !expression.includes('geneve'));
  const pick = (): string => definite[random(definite.length)] ?? '';
  let compared = 0;
  for (let round = 0; round < 80; round++) {
    const [a, b, c] = [pick(), pick(), pick()];
    const expression = [
      `(${a}) and not (${b})`,
      `(${a}) or ((${b}) and (${c}))`,
      `not ((${a}) or (${b}))`,
    ][random(3)] as string;
    try {
      compareExpression(expression, some);
      compared++;
    } catch (error) {
      // libpcap sees that some of these can never match, and that tags cannot be looked for after ports.
      if (!isUsageError(error)) throw error;
    }
  }
  t.diagnostic(`${compared} of 80 expressions were accepted`);
  assert.ok(compared >= 40);
});

test('random programs in the language of the interpreter', { skip }, (t) => {
  const random = createRandom(11);
  const some = packets.slice(0, 500);
  let hits = 0;
  const count = 300;
  for (let round = 0; round < count; round++) {
    const instructions = randomProgram(random);
    const bytes = encodeClassic(instructions);
    const code = translate(
      [{ window: filterWindow.link, instructions, linkHeaderBytes: random(2) * linkHeaderBytes }],
      round % 2 === 0 ? undefined : inPlace,
    );
    const loaded = loadFilter(object, code, some);
    try {
      const verdicts = loaded.run(filterWindow.link, 0);
      const what = `program ${round} (${Buffer.from(bytes).toString('hex')})`;
      hits += withClassicMatcher(bytes, (matches) => compare(what, some, 0, verdicts, matches));
    } finally {
      loaded.close();
    }
  }
  t.diagnostic(`${count} programs, ${some.length} packets, ${hits} matches`);
  assert.ok(hits > (count * some.length) / 10);
});
