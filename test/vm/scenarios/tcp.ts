import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../lab.ts';
import {
  assertExits,
  assertNested,
  assertLossless,
  assertSound,
  type Scenario,
  type SeenPath,
} from '../scenario.ts';

const BYTES = 200_000;

/** A TCP connection by iperf3: connect, transfer and close, with the clone that TCP sends of what it keeps for a resend. */
export const tcp: Scenario = {
  name: 'tcp',
  async act(lab) {
    lab.background('ip netns exec b iperf3 -s -1');
    await until('iperf3 listens', 10_000, () =>
      lab.run('ip netns exec b ss -ltn').includes(':5201') ? true : undefined,
    );
    lab.run('ip netns exec a ping -c 1 -W 5 10.0.0.2');
    const trace = await lab.trace();
    lab.record('iperf', lab.run(`ip netns exec a iperf3 -c 10.0.0.2 -n ${BYTES} -J`));
    await sleep(500);
    lab.record('status', (await trace.stop()).status);
  },
  check({ backend, paths, fact, summary }) {
    assert.equal(fact('status'), 0);
    assertLossless(summary);
    const sent = (fact('iperf') as { end: { sum_sent: { bytes: number } } }).end.sum_sent.bytes;
    const segments = paths.filter((path) => path.flow?.transport === 'tcp');
    for (const path of segments) assertSound(path);
    const flagged = (flags: string, port: 'source_port' | 'destination_port'): SeenPath[] =>
      segments.filter((path) => path.flow?.tcp_flags === flags && path.flow[port] === 5201);
    // iperf3 opens one connection for control and one for data.
    assert.equal(flagged('S', 'destination_port').length, 2, 'SYNs');
    assert.equal(flagged('S.', 'source_port').length, 2, 'SYN-ACKs');
    const fins = segments.filter((path) => path.flow?.tcp_flags?.includes('F') === true);
    // The control connection's; the one for data may end by a reset.
    assert.ok(fins.length >= 2, `${fins.length} FINs`);

    // The data connection's port is the later one of the two SYNs.
    const port = flagged('S', 'destination_port').at(-1)?.flow?.source_port;
    const lengths = segments
      .filter((path) => path.flow?.source_port === port)
      .map((path) =>
        Math.max(0, ...path.lives.flatMap((life) => life.calls.map(({ len }) => len))),
      );
    const total = lengths.reduce((sum, length) => sum + length, 0);
    assert.ok(total >= sent, `${total} bytes seen of ${sent} sent`);

    if (backend === 'tracepoint') return;
    const clones = segments.flatMap((path) =>
      path.lives.filter((life) => life.parent?.operation === 'clone'),
    );
    assert.ok(clones.length > 0, 'no clones among the segments');
    for (const path of [...flagged('S', 'destination_port'), ...flagged('S.', 'source_port')]) {
      if (path.ending === 'ended') assertExits(path);
      assertNested(path, 'veth_xmit', ['dev_hard_start_xmit', '__dev_queue_xmit']);
      assertNested(path, 'tcp_v4_rcv', ['ip_local_deliver']);
    }
  },
};
