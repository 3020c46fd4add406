import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { until, type Lab } from '../lab.ts';
import { assertLossless, type Evidence, type Scenario } from '../scenario.ts';
import { type SeenStory, story } from '../story.ts';

/**
 * What becomes of a packet, and by whom: every kind of end, of queue and of tunnel, in one network. `a` sends.
 *
 *   a -- b (10.0.0.0/24, firewall, routes) -- c (10.0.1.0/24)      e -- d (bridge) -- f (10.0.5.0/24)
 *   a == b by VXLAN, Geneve, IPIP, GRE (10.42 to 10.45), and by a bond (10.0.6.0/24);   g: macvlan on b's device
 *   a: d0 loses everything (10.0.9.0/24), d1 delays it by 20 ms (10.0.8.0/24)
 */
const network = `set -e
  ip netns add c; ip netns add d; ip netns add e; ip netns add f; ip netns add g
  for n in c d e f g; do ip netns exec $n sysctl -qw net.ipv6.conf.all.disable_ipv6=1; done
  ip link add vbc netns b type veth peer name vc netns c
  ip -n b addr add 10.0.1.2/24 dev vbc; ip -n c addr add 10.0.1.3/24 dev vc
  ip -n b link set vbc up; ip -n c link set vc up
  ip -n c route add default via 10.0.1.2; ip -n a route add 10.0.1.0/24 via 10.0.0.2
  ip -n a route add 10.9.0.0/16 via 10.0.0.2; ip netns exec b sysctl -qw net.ipv4.ip_forward=1
  ip -n d link add br0 type bridge
  for p in e f; do
    ip link add vd$p netns d type veth peer name w$p netns $p
    ip -n d link set vd$p master br0; ip -n d link set vd$p up; ip -n $p link set w$p up
  done
  ip -n d link set br0 up; ip -n e addr add 10.0.5.1/24 dev we; ip -n f addr add 10.0.5.2/24 dev wf
  tunnel() { ip -n a link add $1 type $2 $3; ip -n b link add $1 type $2 $4
    ip -n a addr add $5.1/24 dev $1; ip -n b addr add $5.2/24 dev $1; ip -n a link set $1 up; ip -n b link set $1 up; }
  tunnel vx0 vxlan "id 42 dstport 4789 local 10.0.0.1 remote 10.0.0.2" "id 42 dstport 4789 local 10.0.0.2 remote 10.0.0.1" 10.42.0
  tunnel gn0 geneve "id 43 remote 10.0.0.2" "id 43 remote 10.0.0.1" 10.43.0
  tunnel ii0 ipip "local 10.0.0.1 remote 10.0.0.2" "local 10.0.0.2 remote 10.0.0.1" 10.44.0
  tunnel gr0 gre "key 45 local 10.0.0.1 remote 10.0.0.2" "key 45 local 10.0.0.2 remote 10.0.0.1" 10.45.0
  ip link add sa netns a type veth peer name sb netns b; ip -n b link set sb up; ip -n b addr add 10.0.6.2/24 dev sb
  ip -n a link add bond0 type bond mode active-backup; ip -n a link set sa master bond0
  ip -n a link set sa up; ip -n a link set bond0 up; ip -n a addr add 10.0.6.1/24 dev bond0
  ip -n b link add mv0 link vb type macvlan mode bridge; ip -n b link set mv0 netns g
  ip -n g addr add 10.0.0.7/24 dev mv0; ip -n g link set mv0 up
  for i in 0 1; do
    ip -n a link add d$i type dummy; ip -n a addr add 10.0.$((9 - i)).1/24 dev d$i; ip -n a link set d$i up
    ip -n a neigh add 10.0.$((9 - i)).2 lladdr 02:00:00:00:00:02 dev d$i
  done
  tc -n a qdisc add dev d0 root netem loss 100%; tc -n a qdisc add dev d1 root netem delay 20ms
  ip netns exec b nft 'add table inet t
    add chain inet t in { type filter hook input priority 0; }
    add chain inet t other
    add chain inet t sub
    add rule inet t sub udp dport 70 counter drop
    add rule inet t sub udp dport 7 counter drop
    add rule inet t in ct state invalid drop
    add rule inet t in ip daddr 10.0.0.2 jump other
    add rule inet t in udp dport { 7, 70 } jump sub
    add table ip n
    add chain ip n pre { type nat hook prerouting priority -100; }
    add chain ip n post { type nat hook postrouting priority 100; }
    add rule ip n pre udp dport 80 dnat to 10.0.1.3:8080
    add rule ip n post oifname "vbc" udp dport 8080 masquerade'
  ip netns exec b iptables -A INPUT -p udp --dport 8 -j DROP`;

const CONTAINER = 'c0ffee42'.repeat(8);
const POD = '0b3f2c1a-1111-4222-8333-944455556666';
const group = `kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${POD.replaceAll('-', '_')}.slice/cri-containerd-${CONTAINER}.scope`;
const UID = 4711;
const SENT = 3;
const targets = [
  '10.0.0.2:5009',
  '10.0.0.2:7',
  '10.0.0.2:8',
  '10.0.0.2:11',
  '10.9.9.9:12',
  '10.0.1.3:13:1',
  '10.0.9.2:14',
  '10.0.8.2:15',
  '10.0.0.2:80',
];
const pings = {
  vxlan: ['a', '10.42.0.2'],
  geneve: ['a', '10.43.0.2'],
  ipip: ['a', '10.44.0.2'],
  gre: ['a', '10.45.0.2'],
  bond: ['a', '10.0.6.2'],
  macvlan: ['a', '10.0.0.7'],
  bridge: ['e', '10.0.5.2'],
} as const;

interface Facts {
  readonly server: { readonly pid: number; readonly inodes: readonly number[] };
  readonly snmp: string;
  readonly netstat: string;
  readonly rules: string;
  readonly qdisc: string;
}

/** The server by the file that it makes; undefined: it is not there yet. Root may look at another user's process. */
function serverOf(ready: string): Facts['server'] | undefined {
  let pid = 0;
  try {
    pid = Number(readFileSync(ready, 'utf8'));
  } catch {
    return undefined;
  }
  if (pid === 0) return undefined;
  const inodes = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    const socket = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
    return socket === undefined ? [] : [Number(socket)];
  });
  return { pid, inodes };
}

async function act(lab: Lab): Promise<void> {
  lab.run(network);
  try {
    const home = `/sys/fs/cgroup/${group}`;
    mkdirSync(home, { recursive: true });
    chmodSync(lab.folder, 0o777); // The server is another user by then.
    const ready = join(lab.folder, 'server');
    const tap = lab.background('ip netns exec b tcpdump -i vb -w /dev/null udp port 5009');
    lab.background(
      `sh -c 'echo $$ >${home}/cgroup.procs; exec ip netns exec b node test/vm/udp-peer.ts serve 5009 ${UID} ${ready}'`,
    );
    const server = await until('the server listens', 60_000, () => serverOf(ready));
    // Neighbours are known beforehand: what waits for an answer to ARP is another scenario's.
    for (const [netns, to] of Object.values(pings))
      lab.run(`ip netns exec ${netns} ping -c 1 -W 5 ${to}`);
    const trace = await lab.trace();
    lab.run(`ip netns exec a node test/vm/udp-peer.ts send ${SENT} ${targets.join(' ')}`);
    for (const [netns, to] of Object.values(pings))
      lab.run(`ip netns exec ${netns} ping -c 1 -W 5 ${to}`);
    const { status } = await trace.stop();
    tap.kill();
    lab.record('status', status);
    const facts: Facts = {
      server,
      snmp: lab.run('ip netns exec b cat /proc/net/snmp'),
      netstat: lab.run('ip netns exec b cat /proc/net/netstat'),
      rules: lab.run('ip netns exec b nft -a list ruleset'),
      qdisc: lab.run('tc -s -n a qdisc show dev d0'),
    };
    lab.record('facts', facts);
  } finally {
    lab.run('for n in c d e f g; do ip netns del $n; done');
  }
}

const counterOf = (text: string, line: string, name: string): number => {
  const [names = '', values = ''] = text.split('\n').filter((each) => each.startsWith(`${line}:`));
  return Number(values.split(' ')[names.split(' ').indexOf(name)]);
};

function check({ paths, fact, summary, note }: Evidence): void {
  assert.equal(fact('status'), 0);
  assertLossless(summary);
  const facts = fact('facts') as Facts;
  const all = paths as readonly unknown[] as readonly SeenStory[];
  const sent = (port: number): readonly SeenStory[] => {
    const found = all.filter(
      ({ flow }) => flow?.transport === 'udp' && flow.destination_port === port,
    );
    assert.equal(found.length, SENT, `packets to port ${port}: ${found.map(story).join('\n')}`);
    return found;
  };

  // Drops: each as often as the kernel's own counter says.
  const drops = (port: number, reason: RegExp, counted: number): readonly SeenStory[] => {
    const found = sent(port);
    assert.equal(counted, SENT, `the kernel's counter for port ${port}`);
    for (const path of found) {
      assert.equal(path.outcome.kind, 'dropped', story(path));
      const { end } = path.lives[path.outcome.life] ?? {};
      assert.match(end?.reason ?? '', reason, story(path));
      assert.ok(end?.location?.func !== '' && (end?.location?.offset ?? 0) > 0, story(path));
    }
    return found;
  };
  const ruleCounter = (text: string): { packets: number; handle: number } => {
    const line = facts.rules.split('\n').find((each) => each.includes(text)) ?? '';
    const [, packets, handle] = /packets (\d+) .*# handle (\d+)/.exec(line) ?? [];
    assert.ok(handle !== undefined, `no rule "${text}" in\n${facts.rules}`);
    return { packets: Number(packets), handle: Number(handle) };
  };
  const nft = ruleCounter('udp dport 7 ');
  const iptables = ruleCounter('udp dport 8 ');
  for (const [port, rule, family, table, chain] of [
    [7, nft, 'inet', 't', 'sub'],
    [8, iptables, 'ip', 'filter', 'INPUT'],
  ] as const)
    for (const path of drops(port, /^NETFILTER_DROP$/, rule.packets)) {
      const { end } = path.lives[path.outcome.life] ?? {};
      const want = { family, table, chain, handle: rule.handle };
      assert.deepEqual(end?.rule, want, story(path));
    }
  drops(11, /^NO_SOCKET$/, counterOf(facts.snmp, 'Udp', 'NoPorts'));
  const noRoute = drops(12, /^IP_INNOROUTES$/, counterOf(facts.netstat, 'IpExt', 'InNoRoutes'));
  assert.equal(noRoute[0]?.lives[0]?.end?.location?.func, 'ip_error');
  drops(13, /^IP_INHDR$/, counterOf(facts.snmp, 'Ip', 'InHdrErrors'));
  drops(14, /^QDISC_/, Number(/dropped (\d+)/.exec(facts.qdisc)?.[1]));

  // A queue, and the device that took it.
  for (const path of sent(15)) {
    assert.equal(path.outcome.kind, 'transmitted', story(path));
    assert.equal(path.outcome.device?.name, 'd1');
    assert.equal(path.outcome.device.kind, 'dummy');
    const [wait, ...more] = path.lives
      .flatMap(({ waits }) => waits)
      .filter(({ place }) => place === 'qdisc');
    assert.deepEqual(more, [], story(path));
    assert.ok(wait !== undefined && wait.duration_ns >= 20e6, story(path));
    assert.equal(wait.device.name, 'd1');
  }

  // To a socket: which one, whose; tcpdump's copies change nothing.
  for (const path of sent(5009)) {
    assert.equal(path.outcome.kind, 'delivered', story(path));
    assert.equal(path.outcome.device?.name, 'vb');
    assert.equal(path.outcome.task?.tgid, facts.server.pid, 'who read it');
    const socket = path.lives[path.outcome.life]?.sockets[path.outcome.socket];
    assert.ok(socket !== undefined, story(path));
    assert.ok(
      facts.server.inodes.includes(socket.inode),
      `${socket.inode} of ${facts.server.inodes.join()}`,
    );
    assert.deepEqual(
      [socket.uid, socket.family, socket.type, socket.protocol, socket.local_port],
      [UID, 'ipv4', 'dgram', 'udp', 5009],
    );
    assert.deepEqual([socket.container_id, socket.pod_uid], [CONTAINER, POD]);
    assert.deepEqual([path.outcome.task.container_id, path.outcome.task.pod_uid], [CONTAINER, POD]);
    const waits = path.lives.flatMap((life) => life.waits.map(({ place }) => place));
    for (const place of ['backlog', 'socket']) assert.ok(waits.includes(place), story(path));
    assert.ok(
      path.lives.some(({ crossings }) => crossings.some(({ kind }) => kind === 'netns')),
      story(path),
    );
  }

  // Translated twice on its way, and one path.
  for (const path of sent(80)) {
    const changes = path.lives.flatMap((life) => life.changes);
    assert.deepEqual(
      changes.map(({ kind, after }) => [
        kind,
        after.source_address,
        after.destination_address,
        after.destination_port,
      ]),
      [
        ['nat', '10.0.0.1', '10.0.1.3', 8080],
        ['nat', '10.0.1.2', '10.0.1.3', 8080],
      ],
      story(path),
    );
    const conntracks = path.lives.flatMap((life) => life.conntracks);
    const last = conntracks.findLast(({ status }) => status.includes('dst_nat'));
    assert.ok(last !== undefined && last.status.includes('src_nat'), story(path));
    assert.equal(last.original.destination_address, '10.0.0.2');
    assert.deepEqual([last.reply.source_address, last.reply.source_port], ['10.0.1.3', 8080]);
    assert.equal(last.reply.destination_address, '10.0.1.2');
    assert.equal(path.outcome.kind, 'dropped', 'nobody listens in c');
  }

  // Tunnels and virtual devices: one path from end to end.
  for (const [kind, [, address]] of Object.entries(pings)) {
    const found = all.filter(
      ({ flow }) => flow?.destination_address === address && flow.detail.startsWith('echo request'),
    );
    assert.equal(found.length, 1, `${kind}: ${found.map(story).join('\n')}`);
    const [path] = found;
    assert.ok(path !== undefined);
    assert.deepEqual([path.outcome.kind, path.outcome.by], ['consumed', 'icmp_rcv'], story(path));
    const changes = path.lives
      .flatMap((life) => life.changes)
      .map((change) => `${change.kind} ${change.tunnel?.kind ?? '?'} ${change.tunnel?.id ?? '-'}`);
    const id = { vxlan: 42, geneve: 43, gre: 45, ipip: '-' }[kind];
    const want =
      id === undefined ? [] : [`encapsulated ${kind} ${id}`, `decapsulated ${kind} ${id}`];
    assert.deepEqual(changes, want, story(path));
    const devices = new Set(
      path.lives.flatMap((life) => life.calls.map(({ device }) => device.name)),
    );
    const passed =
      {
        vxlan: 'vx0',
        geneve: 'gn0',
        ipip: 'ii0',
        gre: 'gr0',
        bond: 'bond0',
        macvlan: 'mv0',
        bridge: 'vdf',
      }[kind] ?? '';
    assert.ok(devices.has(passed), `${kind}: ${[...devices].join(' ')}`);
  }
  note(
    `${all.length} paths, ${Object.values(summary.drops).reduce((sum, count) => sum + count, 0)} drops`,
  );
}

export const surroundings: Scenario = { name: 'surroundings', act, check };
