import assert from 'node:assert/strict';
import test from 'node:test';
import { compilePcap, type PcapMatcher, withClassicMatcher } from '../../src/ffi/libpcap.ts';
import { type ClassicInstruction, decodeClassic, encodeClassic } from '../../src/filter/classic.ts';
import { agreeOnIp } from '../../src/filter/either-window.ts';
import { expressions } from './expressions.ts';
import { createPackets, createRandom } from './packets.ts';

type Program = readonly ClassicInstruction[];
const compile = (expression: string, type: 'ethernet' | 'raw'): Program =>
  decodeClassic(compilePcap(expression, type));
const agree = (expression: string): boolean =>
  agreeOnIp(compile(expression, 'ethernet'), compile(expression, 'raw'));

test('an expression about IP and above needs no Ethernet header', () => {
  const cases = [
    ...['tcp port 9', 'not tcp', 'host 10.1.0.1', 'net fd00::/8', 'ip or arp', 'not ip6', 'icmp'],
    ...['ip[8] < 65', 'tcp[((tcp[12]&0xf0)>>2):4]=0x47455420', 'ip6 protochain 6', 'portrange 1-9'],
    ...['ip', 'ip6', 'ip proto 1 or ip6 proto 58', 'src host 10.1.0.1 and not udp port 53', ''],
  ];
  for (const expression of cases) assert.ok(agree(expression), expression);
});

test('an expression about the length, or about more of the header than the type, does', () => {
  const cases = ['less 100', 'greater 100 and tcp', 'len > 64', 'ip[len - 20] = 0'];
  for (const expression of cases) assert.ok(!agree(expression), expression);
  // These have no meaning without the header, so that nothing matches.
  const nothing = [{ code: 0x06, jt: 0, jf: 0, k: 0 }];
  for (const expression of ['ether host 02:00:00:00:00:01', 'ether[12:2] = 0x0800', 'vlan or ip'])
    assert.ok(!agreeOnIp(compile(expression, 'ethernet'), nothing), expression);
  for (const expression of ['arp', 'mpls', 'vlan 7 and tcp'])
    assert.ok(agreeOnIp(compile(expression, 'ethernet'), nothing), expression);
});

/** Those whose type is that of IP, and whose version says the same. */
const packets = createPackets(1500, 44).filter(({ bytes }) => {
  const [high, low, first] = bytes.subarray(12);
  const type = ((high ?? 0) << 8) | (low ?? 0);
  const version = (first ?? 0) >> 4;
  return (type === 0x0800 && version === 4) || (type === 0x86dd && version === 6);
});

/** Whether both programs give all packets the same answer. */
const sameAnswers = (link: Program, network: Program): boolean =>
  withClassicMatcher(encodeClassic(link), (one) =>
    withClassicMatcher(encodeClassic(network), (other) => {
      const answer = (matches: PcapMatcher, bytes: Uint8Array): boolean =>
        matches(bytes, bytes.length);
      return packets.every(({ bytes }) => answer(one, bytes) === answer(other, bytes.subarray(14)));
    }),
  );

test('who agrees gives every packet the same answer, also if a program was changed', (t) => {
  assert.ok(packets.length > 300, `${packets.length} packets`);
  const random = createRandom(3);
  const pick = <T>(choices: readonly T[]): T => choices[random(choices.length)] as T;
  let [agreed, changed, harmless, differ] = [0, 0, 0, 0];
  for (const expression of expressions) {
    let link: Program;
    let network: Program;
    try {
      [link, network] = [compile(expression, 'ethernet'), compile(expression, 'raw')];
    } catch {
      continue; // It has no meaning without an Ethernet header.
    }
    if (!agreeOnIp(link, network)) continue;
    agreed++;
    assert.ok(sameAnswers(link, network), expression);
    // It has a loop, which could become one without an end.
    if (expression.includes('protochain')) continue;
    for (let round = 0; round < 6; round++) {
      const place = random(link.length);
      const mutated = link.map((instruction, index) => {
        const { code, jt, jf, k } = instruction;
        if (index !== place || code === 0x05) return instruction;
        const isJump = (code & 7) === 5;
        if (isJump && random(2) === 0) return { code, jt: jf, jf: jt, k };
        return {
          code,
          jt,
          jf,
          k: isJump ? pick([k ^ 1, 6, 17]) : Math.max(0, k + pick([-1, 1, 4])),
        };
      });
      changed++;
      const isSame = sameAnswers(mutated, network);
      if (!isSame) differ++;
      if (!agreeOnIp(mutated, network)) continue;
      harmless++;
      assert.ok(isSame, `${expression}, instruction ${place} changed`);
    }
  }
  t.diagnostic(
    `${agreed} expressions; of ${changed} changes ${differ} matter, ${harmless} are told to be none`,
  );
  assert.ok(agreed > 150 && differ > 200 && harmless > 0);
});
