import assert from 'node:assert/strict';
import { summaryRecord, jsonLine, pathRecord } from '../../../src/exporters/json/records.ts';
import type { PacketPath } from '../../../src/event/packet-path.ts';
import { createRecordingReader } from '../../../src/sources/pcapng/recording.ts';
import { until } from '../lab.ts';
import { assertLossless, type Scenario } from '../scenario.ts';

/** Sends one UDP packet from a to port 7 of b, which NAT makes port 9, where nobody listens. */
const sendUdp =
  "const s = require('dgram').createSocket('udp4'); s.send('hello', 7, '10.0.0.2', () => s.close())";

/**
 * A recording and JSON of the same run: what is read from the recording is the JSON, to the last byte. Among the packets are
 * a clone for tcpdump, one that NAT renames and one that a rule drops.
 */
export const recording: Scenario = {
  name: 'recording',
  async act(lab) {
    lab.run(`ip netns exec b nft 'add table ip n
      add chain ip n in { type filter hook input priority 0; }
      add chain ip n pre { type nat hook prerouting priority -100; }
      add rule ip n pre udp dport 7 dnat to 10.0.0.2:9
      add rule ip n in tcp dport 81 drop'`);
    lab.run('ip netns exec a ping -c 1 -W 5 10.0.0.2');
    lab.background('ip netns exec a tcpdump -Z root -n -i va -w /tmp/capture icmp');
    await until('tcpdump has its socket', 10_000, () =>
      lab.run('ip netns exec a cat /proc/net/packet').trim().split('\n').length > 1
        ? true
        : undefined,
    );
    const file = `${lab.folder}/run.pcapng.gz`;
    const trace = await lab.trace(['--pcapng', file, '--pcapng-mode', 'hop']);
    lab.run('ip netns exec a ping -c 2 -i 0.2 -W 5 10.0.0.2');
    lab.run(`ip netns exec a ${process.execPath} -e "${sendUdp}"`);
    lab.run('ip netns exec a curl -s -m 1 http://10.0.0.2:81/ || true');
    lab.record('status', (await trace.stop()).status);
  },
  check({ backend, fact, summary, text, bytes, note }) {
    assert.equal(fact('status'), 0);
    assertLossless(summary);
    const reader = createRecordingReader('the recording');
    const read: PacketPath[] = reader.push(bytes('run.pcapng.gz'));
    reader.end();
    const lines = [...read.map(pathRecord), summaryRecord(reader.statistics())].map(jsonLine);
    assert.equal(lines.join(''), text('paths.jsonl'));
    const calls = read.flatMap(({ lives }) => lives.flatMap((life) => life.calls));
    note(`${read.length} paths with ${calls.length} calls came back`);

    const ends = read.flatMap(({ lives }) => lives.map(({ end }) => end?.reason));
    assert.ok(ends.includes('NETFILTER_DROP'), 'the drop');
    const names = read.map(({ lives }) => new Set(lives[0]?.packets.map(portOf)));
    assert.ok(
      names.some((ports) => ports.has(7) && ports.has(9)),
      'the packet that NAT renamed',
    );
    if (backend === 'tracepoint') return;
    const links = read.flatMap(({ lives }) => lives.map(({ parent }) => parent?.operation));
    assert.ok(links.includes('clone'), 'the clone');
  },
};

const portOf = ({ flow }: PacketPath['lives'][number]['packets'][number]): number | undefined =>
  flow?.destinationPort;
