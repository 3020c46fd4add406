/** A glance at a packet (bpf/glance.h) never denies what a longer look would find. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readsInPlace } from '../../src/collector/candidates.ts';
import { filterWindow } from '../../src/event/layout.ts';
import { compilePcap, type PcapMatcher, withPcapMatcher } from '../../src/ffi/libpcap.ts';
import type { Code } from '../../src/filter/assembler.ts';
import { compilePcapFilter } from '../../src/filter/pcap-filter.ts';
import { cannotLoad } from '../ffi/sample-object.ts';
import { compileDifferential, fitting, loadFilter } from '../filter/differential.ts';
import { expressions } from '../filter/expressions.ts';
import { assertGlances, compareGlances, compileGlance } from '../filter/glance.ts';
import { createPackets, createRandom } from '../filter/packets.ts';

const skip = cannotLoad();
const folder = mkdtempSync(join(tmpdir(), 'skbspan-glance-'));
after(() => {
  rmSync(folder, { recursive: true });
});
const inPlace = skip === false ? readsInPlace() : undefined;
const ways = inPlace === undefined ? [undefined] : [undefined, inPlace];

test('wherever the headers stand, and whatever the device is', { skip }, (t) => {
  const object = join(folder, 'glance.bpf.o');
  compileGlance(object);
  for (const way of ways) {
    const glances = compareGlances(object, way);
    assertGlances(glances);
    t.diagnostic(JSON.stringify(glances.seen));
  }
});

const ethernetBytes = 14;
const random = createRandom(5);
const whole = fitting(createPackets(400, 43));
/** What is linear of each; the rest would lie in fragments. */
const cut = whole.map(({ bytes }) => ({
  bytes: bytes.subarray(0, random(3) === 0 ? random(bytes.length + 1) : bytes.length),
  wireLength: bytes.length,
}));

/** As libpcap says; an expression about Ethernet matches no packet without its header. */
function withMatcher(
  expression: string,
  type: 'ethernet' | 'raw',
  use: (matches: PcapMatcher) => void,
): void {
  if (type === 'raw' && !hasMeaning(expression)) use(() => false);
  else withPcapMatcher(expression, type, use);
}

function hasMeaning(expression: string): boolean {
  try {
    compilePcap(expression, 'raw');
    return true;
  } catch {
    return false;
  }
}

interface Answers {
  known: number;
  unknown: number;
}

/** What is known from the first bytes must be true of the whole packet, in each window that it is told of. */
function compareCut(object: string, expression: string, code: Code, either: boolean): Answers {
  const loaded = loadFilter(object, code, cut);
  const answers = { known: 0, unknown: 0 };
  const compare = (window: number, told: number, type: 'ethernet' | 'raw'): void => {
    const without = told === filterWindow.network ? ethernetBytes : 0;
    const verdicts = loaded.run(told, without, true);
    const skipped = type === 'raw' ? ethernetBytes : 0;
    withMatcher(expression, type, (matches) => {
      whole.forEach(({ bytes }, index) => {
        const verdict = verdicts[index] ?? 0;
        if (verdict > 1) answers.unknown++;
        if (verdict > 1 || bytes.length < skipped) return;
        answers.known++;
        const want = matches(bytes.subarray(skipped), bytes.length - skipped);
        if (want === (verdict === 1)) return;
        const packet = Buffer.from(bytes).toString('hex');
        const what = `${expression}, window ${told} as ${window}, packet ${index} (${packet})`;
        assert.fail(`${what}: ${cut[index]?.bytes.length} bytes say ${verdict}`);
      });
    });
  };
  try {
    compare(filterWindow.link, filterWindow.link, 'ethernet');
    if (!either) return answers;
    compare(filterWindow.network, filterWindow.network, 'raw');
    compare(filterWindow.link, filterWindow.either, 'ethernet');
    compare(filterWindow.network, filterWindow.either, 'raw');
    return answers;
  } finally {
    loaded.close();
  }
}

test('a part of the packet says what the whole one does, or that it cannot tell', { skip }, (t) => {
  const object = join(folder, 'differential.bpf.o');
  compileDifferential(object);
  let [known, unknown, eithers] = [0, 0, 0];
  for (const expression of expressions) {
    const none = { tunnelLink: undefined, tunnelNetwork: undefined };
    const filter = compilePcapFilter({ packet: expression, ...none });
    if (filter?.glance.possible !== true) continue;
    if (filter.glance.either) eithers++;
    for (const way of ways) {
      const answers = compareCut(object, expression, filter.code(way), filter.glance.either);
      known += answers.known;
      unknown += answers.unknown;
    }
  }
  t.diagnostic(
    `${known} answers, ${unknown} times unknown, ${eithers} expressions for both windows`,
  );
  assert.ok(known > unknown && unknown > known / 100);
  assert.ok(eithers > expressions.length / 2);
});
