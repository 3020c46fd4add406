// What Wireshark shows of the files: tshark 4.0 of this system and 4.4 of Debian 13.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test, { after } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { systemWireshark, trixieWireshark, type Wireshark } from '../../scripts/peers/tshark.ts';
import type { PacketPath } from '../../src/event/packet-path.ts';
import { createBlockBuffer } from '../../src/exporters/pcapng/block-buffer.ts';
import * as blocks from '../../src/exporters/pcapng/blocks.ts';
import { createFileSection } from '../../src/exporters/pcapng/file-section.ts';
import { nameOfSender, pathFrames } from '../../src/exporters/pcapng/path-frames.ts';
import { packetPaths, programsPath } from '../fixtures/packet-paths.ts';
import { record } from '../sources/pcapng/record.ts';

const cache = join(import.meta.dirname, '../../.cache');
const installed: readonly Wireshark[] = [systemWireshark(), trixieWireshark(cache)];
after(() => {
  for (const wireshark of installed) wireshark.remove();
});

/** A test for each of the two versions. */
function each(name: string, body: (wireshark: Wireshark) => void): void {
  for (const wireshark of installed) {
    test(`${name} (${wireshark.version})`, () => {
      body(wireshark);
    });
  }
}

/** Lines of fields with tabs between them; fails if tshark complains of the file. */
function fields(
  wireshark: Wireshark,
  file: string,
  names: readonly string[],
  ...more: readonly string[]
): string[][] {
  const wanted = names.flatMap((name) => ['-e', name]);
  const args = ['-n', '-r', file, '-T', 'fields', ...wanted, ...more];
  const { status, stdout, stderr } = wireshark.run('tshark', args);
  assert.equal(status, 0, stderr);
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split('\t'));
}

const count = (wireshark: Wireshark, file: string, filter: string): number =>
  fields(wireshark, file, ['frame.number'], '-Y', filter).length;

/** A file of path mode, in the order given. */
function pathFile(paths: readonly PacketPath[]): Uint8Array {
  const out = createBlockBuffer();
  const section = createFileSection(out, {
    mode: 'path',
    version: '0',
    os: 'Linux 6.12',
    hardware: 'x64',
  });
  for (const path of paths) {
    const sender = nameOfSender(path);
    if (sender !== undefined) section.name(sender);
    for (const { packet } of pathFrames(path)) section.packet(packet);
  }
  section.end(0n, { comments: ['run events=1 lives=1 paths=1'], lost: 3n });
  return out.take();
}

/** One packet with every option there is, on an interface with every option. */
function everything(): Uint8Array {
  const out = createBlockBuffer();
  blocks.appendSectionHeader(out, {
    hardware: 'cpu',
    os: 'Linux',
    application: 'skbspan test',
    comments: ['of the file'],
  });
  blocks.appendInterface(out, {
    linkType: blocks.linkType.ethernet,
    snaplen: 128,
    name: 'eth0',
    description: 'a device',
    comments: ['of the interface'],
    ipv4: { address: Uint8Array.of(10, 0, 0, 1), mask: Uint8Array.of(255, 0, 0, 0) },
    ipv6: { address: new Uint8Array(16), prefixBits: 64 },
    mac: Uint8Array.of(2, 0, 0, 0, 0, 1),
    speed: 1_000_000_000n,
    filter: 'icmp',
    os: 'Linux',
    hardware: 'veth',
  });
  blocks.appendNames(out, [{ address: Uint8Array.of(10, 7, 0, 1), name: 'client' }]);
  const time = 1_787_350_400_123_456_789n;
  const [frame] = pathFrames(packetPaths()['arp'] ?? assert.fail());
  blocks.appendPacket(out, 0, {
    timeHigh: Number(time >> 32n),
    timeLow: Number(time & 0xffffffffn),
    data: frame?.packet.data ?? [],
    originalLength: 60,
    comments: ['one', 'two → 2'],
    flags: 1 | (2 << 2),
    packetId: 0xffff_ffff_0000_0001n,
    queue: 3,
    dropCount: 9n,
    verdicts: [
      { type: blocks.verdictType.hardware, value: Uint8Array.of(0xab, 0xcd) },
      { type: blocks.verdictType.tc, value: 2n },
      { type: blocks.verdictType.xdp, value: 1n },
    ],
    process: { tgid: 12, tid: 13 },
  });
  blocks.appendStatistics(out, {
    interface: 0,
    time,
    comments: ['of the run'],
    start: time,
    end: time,
    received: 5n,
    dropped: 1n,
    accepted: 4n,
    osDropped: 2n,
    delivered: 3n,
  });
  return out.take();
}

each('every option that Wireshark knows is shown and can be filtered by', (wireshark) => {
  const file = wireshark.put('all.pcapng', everything());
  const table: readonly (readonly [field: string, value: string, filter: string])[] = [
    ['frame.interface_name', 'eth0', 'frame.interface_name == "eth0"'],
    ['frame.interface_description', 'a device', 'frame.interface_description == "a device"'],
    ['frame.comment', 'one,two → 2', 'frame.comment == "two → 2"'],
    ['frame.packet_flags', '0x00000009', 'frame.packet_flags == 9'],
    ['frame.packet_flags_direction', '0x00000001', 'frame.packet_flags_direction == 1'],
    ['frame.packet_flags_reception_type', '2', 'frame.packet_flags_reception_type == 2'],
    ['frame.packet_id', '18446744069414584321', 'frame.packet_id == 0xffffffff00000001'],
    ['frame.interface_queue', '3', 'frame.interface_queue == 3'],
    ['frame.drop_count', '9', 'frame.drop_count == 9'],
    ['frame.verdict.hw', 'ab cd', 'frame.verdict.hw == ab:cd'],
    ['frame.verdict.ebpf_tc', '2', 'frame.verdict.ebpf_tc == 2'],
    ['frame.verdict.ebpf_xdp', '1', 'frame.verdict.ebpf_xdp == 1'],
    ['frame.len', '60', 'frame.len == 60'],
    ['frame.cap_len', '42', 'frame.cap_len == 42'],
  ];
  const [values] = fields(
    wireshark,
    file,
    table.map(([field]) => field),
  );
  assert.deepEqual(
    values,
    table.map(([, value]) => value),
  );
  for (const [, , filter] of table) assert.equal(count(wireshark, file, filter), 1, filter);
  const [time] = fields(wireshark, file, ['frame.time_epoch']);
  assert.match(time?.[0] ?? '', /^1787350400\.123456789$|\.123456789Z?$/);
  const info = wireshark.run('capinfos', [file]).stdout;
  for (const words of ['skbspan test', 'of the file', 'eth0', 'icmp', 'veth', 'a device']) {
    assert.ok(info.includes(words), words);
  }
});

each('path mode: frames dissect and their comments can be filtered by', (wireshark) => {
  const file = wireshark.put('path.pcapng', pathFile(Object.values(packetPaths())));
  const table: readonly (readonly [filter: string, frames: number])[] = [
    ['frame', 10],
    ['_ws.malformed', 0],
    ['frame.comment contains "reason=NETFILTER_DROP"', 1],
    ['frame.comment contains "dropped NETFILTER_DROP at nf_hook_slow+0x5a"', 1],
    ['frame.comment contains "ip_output dur="', 3],
    ['frame.comment matches "dur=[0-9]{6,}ns.*links=clone"', 1],
    ['frame.interface_name == "client:veth0"', 3],
    ['vlan.id == 100', 2],
    ['arp.opcode == 1', 1],
    ['icmp.type == 8', 3],
    ['ipv6.dst == 2001:db8::53', 1],
    ['frame.packet_id == 17', 1],
    ['frame.p2p_dir == 0', 7],
    ['tcp.analysis.flags', 0],
  ];
  for (const [filter, frames] of table)
    assert.equal(count(wireshark, file, filter), frames, filter);
  // The names of namespaces stand for their addresses.
  const named = wireshark.run('tshark', ['-r', file, '-N', 'n', '-Y', 'frame.packet_id == 17']);
  assert.match(named.stdout, /client → 10\.7\.0\.2/);
});

each('hop mode: a record per call, on an interface of its name', (wireshark) => {
  const file = wireshark.put('hop.pcapng', record(Object.values(packetPaths())));
  const table: readonly (readonly [filter: string, frames: number])[] = [
    ['frame.interface_name == "ip_rcv"', 5],
    ['frame.interface_name == "drop"', 1],
    ['frame.interface_name == "drop" && frame.comment contains "reason=NETFILTER_DROP"', 1],
    ['frame.packet_id == 17', 19],
    ['frame.packet_id == 17 && frame.comment contains "cpu=0 "', 17],
    ['frame.comment contains "task=nginx "', 1],
    ['_ws.malformed', 0],
  ];
  for (const [filter, frames] of table)
    assert.equal(count(wireshark, file, filter), frames, filter);
  const [first] = fields(wireshark, file, ['frame.interface_name'], '-Y', 'frame.packet_id == 23');
  assert.deepEqual(first, ['packet']);
});

each('compressed files open as they are', (wireshark) => {
  const bytes = pathFile(Object.values(packetPaths()));
  const packed = { gz: gzipSync(bytes), zst: zstdCompressSync(bytes) };
  for (const [extension, content] of Object.entries(packed)) {
    const file = wireshark.put(`packed.pcapng.${extension}`, content);
    assert.equal(count(wireshark, file, 'frame'), 10, extension);
  }
});

each('a file that was cut off anywhere shows what is whole', (wireshark) => {
  const bytes = pathFile(Object.values(packetPaths()));
  for (const share of [0.3, 0.5, 0.8, 0.99]) {
    const file = wireshark.put('cut.pcapng', bytes.subarray(0, Math.floor(bytes.length * share)));
    const { stdout, stderr } = wireshark.run('tshark', ['-n', '-r', file]);
    assert.match(stderr, /cut short|^(?!.*(damaged|corrupt))/s);
    assert.ok(stdout.split('\n').length > 10 * share - 3, `${share}: ${stdout}`);
  }
});

each('the verdicts of tc and XDP programs, in the options and in the words', (wireshark) => {
  const path = wireshark.put('programs.pcapng', pathFile([programsPath()]));
  const hop = wireshark.put('programs-hop.pcapng', record([programsPath()]));
  const script = `lua_script:${wireshark.put('skbspan.lua', lua)}`;
  const table: readonly (readonly [file: string, filter: string, frames: number])[] = [
    [path, 'frame', 1],
    [path, 'frame.verdict.ebpf_xdp == 2 && frame.verdict.ebpf_tc == 2', 1],
    [path, 'frame.comment contains "dropped TC_INGRESS by tc:drops_big_packets at"', 1],
    [path, 'skbspan.verdict == "XDP_PASS" && skbspan.verdict == "TC_ACT_SHOT"', 1],
    [path, 'skbspan.program == "tc:drops_big_packets"', 1],
    [hop, 'frame.verdict.ebpf_xdp == 2', 1],
    [hop, 'frame.interface_name == "tc:drops_big_packets" && frame.verdict.ebpf_tc == 2', 1],
    [hop, 'skbspan.func == "xdp:limit_by_source" && skbspan.verdict == "XDP_PASS"', 1],
    [hop, 'skbspan.program == "tc:drops_big_packets" && frame.interface_name == "drop"', 1],
    [hop, '_ws.malformed', 0],
  ];
  for (const [file, filter, frames] of table) {
    const found = fields(wireshark, file, ['frame.number'], '-X', script, '-Y', filter);
    assert.equal(found.length, frames, filter);
  }
});

each('a hundred thousand packets', (wireshark) => {
  const paths = Object.values(packetPaths());
  const many = Array.from(
    { length: 100_000 },
    (_, at) => paths[at % paths.length] ?? assert.fail(),
  );
  const file = wireshark.put('many.pcapng', pathFile(many));
  const { status, stdout } = wireshark.run('capinfos', ['-c', '-M', file]);
  assert.equal(status, 0);
  assert.match(stdout, /Number of packets: +100000/);
});

const ours = join(import.meta.dirname, '../../wireshark');
const lua = readFileSync(join(ours, 'skbspan.lua'));

each('the Lua script gives typed fields of path mode', (wireshark) => {
  const script = `lua_script:${wireshark.put('skbspan.lua', lua)}`;
  const file = wireshark.put('path.pcapng', pathFile(Object.values(packetPaths())));
  const [ping] = fields(
    wireshark,
    file,
    ['id', 'duration', 'how', 'location', 'netns', 'dev', 'task', 'pid', 'life', 'calls'].map(
      (name) => `skbspan.${name}`,
    ),
    ...['-X', script, '-Y', 'skbspan.id == 17'],
  );
  assert.deepEqual(ping, [
    ...['17', '46800', 'consumed', 'icmp_rcv+0x1a3', 'client,server', 'veth0,veth1'],
    ...['ping', '4711', '17', '17'],
  ]);
  const table: readonly (readonly [filter: string, frames: number])[] = [
    ['skbspan', 10],
    ['skbspan.drop_reason == "NETFILTER_DROP"', 1],
    ['skbspan.outcome == "dropped"', 1],
    ['skbspan.rule contains "filter"', 1],
    ['skbspan.func == "ip_output"', 3],
    ['skbspan.path contains "ip_rcv > ip_local_deliver"', 1],
    ['skbspan.duration > 1000000', 2],
    ['skbspan.call_duration == 4400', 1],
    ['skbspan.call contains "veth_xmit"', 2],
    ['skbspan.netns == "server"', 3],
    ['skbspan.dev == "eth0"', 5],
    ['skbspan.pid == 5119', 1],
    ['skbspan.tid == 5120', 1],
    ['skbspan.task == "curl"', 1],
    ['skbspan.life == 19', 1],
    ['skbspan.lives == 3', 1],
    ['skbspan.link == "clone"', 2],
    ['skbspan.mark == 0x2a', 1],
    ['skbspan.was contains "10.9.0.5:8080"', 1],
    ['skbspan.losses == 5', 1],
    ['skbspan.direction == "receive"', 3],
    ['skbspan.how == "dropped"', 1],
    ['skbspan.location == "nf_hook_slow+0x5a"', 1],
    ['skbspan.trace == "5eed0000000000000000000000000011"', 1],
  ];
  for (const [filter, frames] of table) {
    const found = fields(wireshark, file, ['frame.number'], '-X', script, '-Y', filter);
    assert.equal(found.length, frames, filter);
  }
});

each('the Lua script gives typed fields of hop mode', (wireshark) => {
  const script = `lua_script:${wireshark.put('skbspan.lua', lua)}`;
  const file = wireshark.put('hop.pcapng', record(Object.values(packetPaths())));
  const table: readonly (readonly [filter: string, frames: number])[] = [
    ['skbspan', 95],
    ['skbspan.func == "ip_rcv"', 5],
    ['skbspan.call_duration == 35600', 1],
    ['skbspan.drop_reason == "NETFILTER_DROP" && frame.interface_name == "drop"', 1],
    ['skbspan.depth == 9 && skbspan.func == "icmp_echo"', 1],
    ['skbspan.life == 19', 11],
    ['skbspan.seq == 9 && skbspan.life == 19', 1],
    ['skbspan.cpu == 1 && skbspan.task == "curl"', 11],
    ['skbspan.duration == 46800', 1],
    ['skbspan.link == "clone"', 2],
    ['skbspan.netns == "server"', 13],
  ];
  for (const [filter, frames] of table) {
    const found = fields(wireshark, file, ['frame.number'], '-X', script, '-Y', filter);
    assert.equal(found.length, frames, filter);
  }
});

each('the profile shows the path as a column and drops in red', (wireshark) => {
  for (const name of ['preferences', 'colorfilters']) {
    const content = readFileSync(join(ours, 'profile/skbspan', name));
    wireshark.put(`config/wireshark/profiles/skbspan/${name}`, content);
  }
  const config = dirname(wireshark.put('config/marker', ''));
  const file = wireshark.put('path.pcapng', pathFile(Object.values(packetPaths())));
  const listed = wireshark.runWith(config, 'tshark', ['-C', 'skbspan', '-n', '-r', file]);
  assert.match(listed.stdout, /host:eth0 .* 7 calls .* dropped NETFILTER_DROP at nf_hook_slow/);
  const rule = wireshark.runWith(config, 'tshark', [
    ...['-C', 'skbspan', '--color', '-n', '-r', file, '-Y', 'frame.packet_id == 23'],
    ...['-T', 'fields', '-e', 'frame.coloring_rule.name'],
  ]);
  assert.match(rule.stdout, /skbspan: dropped/);
});

const extcap = join(ours, 'extcap/skbspan');

each('skbspan is a capture interface of tshark, which captures with it', (wireshark) => {
  const listed = wireshark.runWithExtcap(extcap, ['-D']);
  assert.match(listed.stdout, /skbspan \(skbspan: packets and their path through the kernel\)/);

  const ping = spawn('ping', ['-n', '-q', '-i', '0.02', '127.0.0.1'], { stdio: 'ignore' });
  try {
    const captured = wireshark.runWithExtcap(extcap, [
      ...['-n', '-i', 'skbspan', '-c', '3', '-T', 'fields', '-e', 'frame.comment', '-Y', 'icmp'],
    ]);
    assert.match(captured.stdout, /calls .* host:lo .*path id=\d+/, captured.stderr);
    assert.doesNotMatch(captured.stderr, /Error by extcap/);
  } finally {
    ping.kill();
  }
});

test('the capture dialog asks for mode and functions', () => {
  const dialog = spawnSync(extcap, ['--extcap-interface', 'skbspan', '--extcap-config'], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.match(dialog.stdout, /^arg \{number=0\}\{call=--pcapng-mode\}/);
  assert.match(dialog.stdout, /^value \{arg=0\}\{value=hop\}/m);
  assert.match(dialog.stdout, /\{call=--filter-func\}/);
});
