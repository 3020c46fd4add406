import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../lab.ts';
import { assertLossless, assertSound, type Scenario } from '../scenario.ts';

const DATAGRAMS = 8;
const PORT = 5009;

/** Connected, for its packets to be numbered one after the other: GRO merges no others. In quick succession. */
const sender = `
  const socket = require("dgram").createSocket("udp4");
  socket.connect(${PORT}, "10.0.1.2", async () => {
    for (let sent = 0; sent < ${DATAGRAMS}; sent++)
      await new Promise((done) => socket.send("to and fro", done));
    setTimeout(() => socket.close(), 500);
  });`;

/**
 * A router merges datagrams as a list (each hangs on the first one whole) and takes the list apart again before its next device:
 * every datagram is the sk_buff it was, goes on, and arrives; all that were merged are one path.
 */
export const fragList: Scenario = {
  name: 'frag list',
  async act(lab) {
    lab.run(`ip netns add c
      ip link add vd netns b type veth peer name vc netns c
      ip -n b addr add 10.0.1.1/24 dev vd; ip -n c addr add 10.0.1.2/24 dev vc
      ip netns exec b sysctl -qw net.ipv6.conf.vd.disable_ipv6=1
      ip netns exec c sysctl -qw net.ipv6.conf.all.disable_ipv6=1
      ip -n b link set vd up; ip -n c link set vc up
      ip netns exec b sysctl -qw net.ipv4.ip_forward=1
      ip -n a route add 10.0.1.0/24 via 10.0.0.2; ip -n c route add 10.0.0.0/24 via 10.0.1.1
      ip netns exec a ethtool -K va tso off
      ip netns exec b ethtool -K vb gro on rx-gro-list on
      ip netns exec b ethtool -K vd tx-gso-list off`);
    try {
      lab.run('ip netns exec a ping -c 1 -W 5 10.0.1.2');
      lab.run('tc -n a qdisc add dev va root netem slot 300ms 300ms');
      const ready = join(lab.folder, 'peer');
      const peer = 'node test/vm/udp-peer.ts';
      lab.background(`ip netns exec c ${peer} serve ${PORT} 0 ${ready}`);
      await until('the peer is ready', 60_000, () => (existsSync(ready) ? true : undefined));
      const trace = await lab.trace();
      lab.run(`ip netns exec a node -e '${sender}'`);
      await sleep(500);
      lab.record('snmp', lab.run('ip netns exec c cat /proc/net/snmp'));
      lab.record('status', (await trace.stop()).status);
    } finally {
      lab.run('ip netns del c');
    }
  },
  check({ paths, fact, summary, note, text }) {
    assert.equal(fact('status'), 0);
    assertLossless(summary);
    assert.match(text('snmp'), new RegExp(`^Udp: ${DATAGRAMS} `, 'm'), 'all have arrived');
    const udp = paths.filter(({ flow }) => flow?.destination_port === PORT);
    let merged = 0;
    let sent = 0;
    for (const path of udp) {
      assertSound(path);
      const members = path.lives.filter((life) => life.merged_into !== null);
      merged += members.length;
      // The first one carries the others, and is the first segment itself.
      assert.equal(path.lives.length, 1 + members.length, 'no life but the datagrams');
      for (const life of path.lives) {
        sent += 1;
        const funcs = life.calls.map(({ func }) => func);
        assert.equal(funcs.filter((func) => func === 'veth_xmit').length, 2, funcs.join(' '));
        assert.ok(funcs.includes('udp_queue_rcv_one_skb'), funcs.join(' '));
        assert.notEqual(life.end?.how, 'dropped');
      }
      for (const life of members) {
        assert.equal(life.merged_into?.operation, 'gro');
        assert.equal(life.merged_into.life, 0);
        const maker = life.calls[life.merged_into.call]?.func;
        assert.equal(maker, 'skb_gro_receive_list');
        const { parent } = life;
        assert.deepEqual([parent?.life, parent?.operation], [0, 'segment']);
        assert.equal(path.lives[0]?.calls[parent?.call ?? -1]?.func, 'skb_segment_list');
      }
    }
    note(`${merged} of ${sent} datagrams merged, in ${udp.length} paths`);
    assert.equal(sent, DATAGRAMS);
    assert.ok(merged > 1, 'else this proves nothing');
  },
};
