import assert from 'node:assert/strict';
import { filterWindow } from '../../../src/event/layout.ts';
import { withPcapMatcher } from '../../../src/ffi/libpcap.ts';
import { compilePcapFilter } from '../../../src/filter/pcap-filter.ts';
import { assertGlances, compareGlances, glanceObject, type Glances } from '../../filter/glance.ts';
import { differentialObject, fitting, loadFilter } from '../../filter/differential.ts';
import { expressions } from '../../filter/expressions.ts';
import { createPackets } from '../../filter/packets.ts';
import { until } from '../lab.ts';
import { assertLossless, functionsOf, type Scenario } from '../scenario.ts';

interface Verdicts {
  readonly expressions: number;
  readonly packets: number;
  /** Expressions that the kernel refused, with its reason, and those with a verdict other than libpcap's. */
  readonly refused: readonly string[];
  readonly wrong: readonly string[];
}

/** This kernel's verifier accepts every filter, its verdicts are those of libpcap, and a glance tells no other ones. */
export const verifier: Scenario = {
  name: 'verifier',
  async act(lab) {
    const packets = fitting(createPackets(200, 42));
    const refused: string[] = [];
    const wrong: string[] = [];
    const { readsInPlace } = await import('../../../src/collector/candidates.ts');
    const inPlace = readsInPlace();
    for (const packet of expressions) {
      const filter = compilePcapFilter({ packet, tunnelLink: packet, tunnelNetwork: undefined });
      if (filter === undefined) continue;
      // The quicker code where this kernel takes it, as skbspan does.
      try {
        const loaded = loadFilter(differentialObject, filter.code(inPlace), packets);
        const verdicts = loaded.run(filterWindow.innerLink, 0);
        withPcapMatcher(packet, 'ethernet', (matches) => {
          const differs = packets.some(
            ({ bytes, wireLength }, index) =>
              matches(bytes, wireLength) !== (verdicts[index] === 1),
          );
          if (differs) wrong.push(packet);
        });
        loaded.close();
      } catch (error) {
        refused.push(`${packet}: ${String(error)}`);
      }
    }
    lab.record('glances', compareGlances(glanceObject, inPlace));
    lab.record('verdicts', {
      expressions: expressions.length,
      packets: packets.length,
      refused,
      wrong,
    } satisfies Verdicts);
  },
  check({ fact, note }) {
    const verdicts = fact('verdicts') as Verdicts;
    note(`${verdicts.expressions} expressions, ${verdicts.packets} packets`);
    assert.deepEqual(verdicts.refused, []);
    assert.deepEqual(verdicts.wrong, []);
    assertGlances(fact('glances') as Glances);
  },
};

/** The first bytes of a request stand in a page fragment when TCP sends them: a filter finds them there. */
export const filter: Scenario = {
  name: 'filter',
  async act(lab) {
    const server = "require('node:http').createServer((q, r) => r.end('hello')).listen(8080)";
    lab.background(`ip netns exec b node -e "${server}"`);
    const fetch = 'ip netns exec a curl -sf http://10.0.0.2:8080/';
    await until('the server answers', 30_000, () => {
      try {
        return lab.run(fetch);
      } catch {
        return undefined;
      }
    });
    const request = ['tcp', 'dst', 'port', '8080', 'and', 'tcp[((tcp[12]&0xf0)>>2):4]=0x47455420'];
    const trace = await lab.trace(request);
    for (let i = 0; i < 3; i++) lab.run(fetch);
    lab.run('ip netns exec a ping -c 1 -W 5 10.0.0.2');
    lab.record('status', (await trace.stop()).status);
  },
  check({ paths, fact, summary }) {
    assert.equal(fact('status'), 0);
    assertLossless(summary);
    const flows = paths.map(({ flow }) => `${flow?.transport}:${flow?.destination_port}`);
    assert.deepEqual(flows, ['tcp:8080', 'tcp:8080', 'tcp:8080']);
    for (const path of paths) {
      assert.ok(
        functionsOf(path).some((name) => /start_xmit|veth_xmit/.test(name)),
        'sent',
      );
    }
  },
};
