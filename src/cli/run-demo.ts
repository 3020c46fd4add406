import { setTimeout } from 'node:timers/promises';
import { chooseBackend } from '../collector/choose-backend.ts';
import type { PacketPath } from '../event/packet-path.ts';
import { createDemoNetwork, type DemoNetwork, removeLeftovers } from './demo-network.ts';
import { exchangeTcp, ping, sendUdp } from './demo-traffic.ts';
import { chooseExporters, describeProbes } from './run-trace.ts';
import { say } from './say.ts';
import { runSession } from './session.ts';
import { createStandardOutput } from './standard-output.ts';
import { createStopRequest, exitInterrupted, type StopRequest } from './stop-request.ts';
import { formatSummary } from './summary.ts';

const prefix = 'skbspan-demo';

/**
 * Where the kernel attaches one by one (some 60 a second), nobody should have to wait for all functions: the milestones of
 * what the demo sends.
 */
const milestones = [
  'ip_(local_out|output|finish_output2?|rcv|rcv_finish|local_deliver|local_deliver_finish)',
  '__ip_local_out|__ip_queue_xmit|ip_queue_xmit|ip_send_skb|ip_route_input_slow',
  'arp_(xmit|rcv|process|solicit)|icmp_(rcv|echo|reply)|ping_rcv|raw_rcv|raw_local_deliver',
  '__?tcp_transmit_skb|tcp_v4_rcv|tcp_v4_do_rcv|tcp_rcv_(established|state_process)|tcp_ack',
  'udp_send_skb|udp_rcv|__udp4_lib_rcv|skb_copy_datagram_iter',
  '__dev_queue_xmit|dev_hard_start_xmit|veth_xmit|__netif_rx|enqueue_to_backlog',
  '__netif_receive_skb|__netif_receive_skb_core|neigh_resolve_output|nf_hook_slow|skb_clone',
  'kfree_skb_reason|consume_skb|__kfree_skb',
].join('|');

export interface DemoOptions {
  /** The file that the packets are written to. */
  readonly pcapng: string;
  readonly color: false | undefined;
}

/** For what comes after the last packet was sent: acknowledgements, frees. */
const settleMs = 300;

async function makeTraffic({ a, b, blockedPort }: DemoNetwork): Promise<void> {
  say(`a ping from ${a.address} to ${b.address}`);
  await ping(a, b);
  say('a TCP connection: a line there, a line back');
  await exchangeTcp(a, b);
  say(`a UDP packet to port ${blockedPort}, which a firewall rule of ${b.address} drops`);
  await sendUdp(a, b, blockedPort);
}

/** Whether any call of the path ran in the demo's namespaces. */
function touches(network: DemoNetwork): (path: PacketPath) => boolean {
  const inodes = new Set([network.a.inode, network.b.inode]);
  return (path) =>
    path.lives.some((life) => life.calls.some((call) => inodes.has(call.device.netns)));
}

async function trace(
  network: DemoNetwork,
  stop: StopRequest,
  { pcapng, color }: DemoOptions,
): Promise<number> {
  const stdout = createStandardOutput(process.stdout, {
    limitLines: undefined,
    onEnd: stop.request,
  });
  const isDemo = touches(network);
  const backend = chooseBackend(undefined);
  let shown = 0;
  const result = await runSession({
    stop,
    exporters: await chooseExporters(
      {
        format: 'tree',
        color,
        jsonFile: undefined,
        otlp: undefined,
        kafka: undefined,
        table: { timestamp: 'none', tcpFlags: false },
        pcapng: { file: pcapng, mode: 'path', rotation: undefined },
      },
      stdout,
    ),
    tracing: {
      backend,
      functions: backend === 'kprobe' ? milestones : undefined,
      netns: undefined,
      ringBytes: 64 * 1024 * 1024,
      snaplenBytes: 128,
      exits: undefined,
    },
    intake: {
      take(paths) {
        const kept = paths.filter(isDemo);
        shown += kept.length;
        return kept;
      },
      counted: (statistics) => statistics,
    },
    onReady: async (tracing) => {
      say(`tracing by ${tracing.backend} with ${describeProbes(tracing)}`);
      try {
        await makeTraffic(network);
        await setTimeout(settleMs);
        stop.request('done');
      } catch (error) {
        // Ctrl-C ends the programs that make the traffic, too.
        if (stop.reason === undefined) throw error;
      }
    },
  });
  if (result === undefined) return exitInterrupted;
  process.stderr.write(formatSummary(result.statistics, result.elapsedMs));
  say(`shown were the ${shown} packets of the demo, not others that this host handled meanwhile`);
  say(`they are in ${pcapng}, too, for Wireshark: each packet with its path as comments`);
  if (result.broken !== undefined) throw result.broken;
  return 0;
}

/** Runs `skbspan demo`; resolves with the exit code. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const stop = createStopRequest();
  try {
    await removeLeftovers(prefix);
    const network = await createDemoNetwork(prefix);
    try {
      say(
        `${network.a.netns} (${network.a.address}) and ${network.b.netns} (${network.b.address}) are joined by a veth pair`,
      );
      return await trace(network, stop, options);
    } finally {
      await network.remove();
    }
  } finally {
    stop.dispose();
  }
}
