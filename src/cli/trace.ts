import type { Command } from 'commander';
import { backendNames } from '../collector/backend.ts';
import { addIntakeOptions } from './intake-options.ts';
import { addDetailOptions } from './detail-options.ts';
import { addKafkaOptions } from './kafka-options.ts';
import { addMetricsOptions } from './metrics-options.ts';
import { addOtlpOptions } from './otlp-options.ts';
import { addOutputFileOptions } from './output-file-options.ts';
import { addPcapngOptions } from './pcapng-options.ts';
import { parseFilteredTrace } from './filtered-trace.ts';
import type { TraceFlags, TraceOptions } from './trace-options.ts';

const examples = `
Examples:
  skbspan trace                                     every packet, as a tree
  skbspan trace tcp port 443 and host 10.0.0.7      only packets that tcpdump would show
  skbspan trace --filter-func 'ip_.*|tcp_.*'        only functions whose name matches
  skbspan trace --filter-netns /run/netns/web       only packets first seen in that namespace
  skbspan trace --otlp --duration 10s               traces to a collector on this host, and text
  skbspan trace --otlp --keep 'dropped,slow>5ms'    only paths that are worth it
  skbspan trace --pcapng - | wireshark -k -i -      live in Wireshark
  skbspan trace --pcapng run.pcapng.zst --pcapng-mode hop   a recording, for skbspan convert
  skbspan trace --json | jq .                       one line of JSON per packet
  skbspan trace --kafka broker:9092 --format none   one record per packet to the topic skbspan.paths
`;

/**
 * Presets and --filter-func as one expression; both must match. Presets are sets of functions: the backend that has
 * tracepoints only, which are milestones anyway, watches all of these.
 */
export async function chosenFunctions({
  backend,
  functions,
  presets,
}: Pick<TraceOptions, 'backend' | 'functions' | 'presets'>): Promise<string | undefined> {
  if (presets === undefined) return functions;
  const { presetFunctions } = await import('../config/presets.ts');
  const chosen = presetFunctions(presets);
  const { chooseBackend, likelyBackend } = await import('../collector/choose-backend.ts');
  if ((likelyBackend(backend) ?? chooseBackend(backend)) === 'tracepoint') return functions;
  return functions === undefined ? chosen : `(?=(?:${functions})$)(?:${chosen})`;
}

/** `skbspan trace`: follows packets until Ctrl-C and hands their paths to the outputs that were asked for. */
export function addTraceCommand(
  program: Command,
  run: (command: Promise<number>) => Promise<void>,
): void {
  const outputs = addPcapngOptions(
    addKafkaOptions(addMetricsOptions(addOtlpOptions(addIntakeOptions(traceCommand(program))))),
  );
  addOutputFileOptions(addDetailOptions(outputs))
    .addHelpText('after', examples)
    // Unknown words are refused by parseTraceOptions, together with all other mistakes.
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async (_words: string[], given: TraceFlags, command: Command) => {
      const { flags, words } =
        given.config === undefined
          ? { flags: given, words: command.args }
          : (await import('./config-file.ts')).withConfigFile(command, given.config, given);
      const { options, chosen } = await parseFilteredTrace(flags, words);
      const functions = await chosenFunctions(options);
      const { runTrace } = await import('./run-trace.ts');
      await run(runTrace({ ...options, functions }, chosen));
    });
}

const traceCommand = (program: Command): Command =>
  program
    .command('trace')
    .description('follow packets and show the path of each')
    .argument(
      '[pcap-filter...]',
      'follow only packets that match this expression (the language of tcpdump)',
    )
    .option('--backend <name>', `how to attach: ${backendNames.join(', ')} (default: the best)`)
    .option('--config <file>', 'options from a YAML file (config/default.yaml shows all of them)')
    .option('--preset <names>', 'attach only to these sets of functions: path, drops, tcp, ...')
    .option('--kmods <modules>', 'of kernel modules watch only these: a,b (default: all)')
    .option('--all-kmods', 'watch functions of all loaded modules, which is the default')
    .option('--filter-func <regex>', 'attach only to functions whose whole name matches')
    .option(
      '--filter-netns <spec>',
      'follow only packets first seen in this network namespace: a path, a name of `ip netns` or inode:<number>',
    )
    .option('--filter-track-skb', 'accepted for pwru users: a matched packet is always followed')
    .option('--filter-mark <mark>', 'only packets with this mark: number or number/mask')
    .option('--filter-ifname <name>', 'only packets first seen on an interface of this name')
    .option('--filter-pid <pid>', 'only packets that this process sends')
    .option('--filter-cgroup <path>', 'only packets of sockets in this cgroup (v2)')
    .option('--filter-container <id>', 'only packets of sockets in this container')
    .option('--filter-direction <way>', 'only packets first seen on their way: transmit or receive')
    .option('--filter-min-len <bytes>', 'only packets of at least this length')
    .option('--filter-skb-expr <expr>', "only packets whose skb matches: 'skb->len > 1000'")
    .option(
      '--filter-tunnel-pcap-l2 <expr>',
      'pcap filter of a tunnelled packet, from its MAC header',
    )
    .option(
      '--filter-tunnel-pcap-l3 <expr>',
      'pcap filter of a tunnelled packet, from its IP header',
    )
    .option('--filter-trace-tc', 'trace tc programs with their verdicts, which is the default')
    .option('--no-filter-trace-tc', 'do not trace tc programs')
    .option('--filter-trace-xdp', 'trace XDP programs with their verdicts, which is the default')
    .option('--no-filter-trace-xdp', 'do not trace XDP programs')
    .option('--sample <1/n>', 'only one of n packets, the same ones on every host')
    .option('--output-limit-lines <n>', 'stop after this many lines on standard output')
    .option('--json [file]', 'write a line of JSON per path; without a file to standard output')
    .option('--format <name>', 'text on standard output: tree, table or none (default: tree)')
    .option('--output-json', 'as --json, the name that pwru has for it')
    .option('--output-meta', 'accepted for pwru users: always on')
    .option('--output-tuple', 'accepted for pwru users: always on')
    .option('--output-netns-names', 'accepted for pwru users: always on')
    .option('--output-tcp-flags', 'table: TCP flags beside the addresses')
    .option('--timestamp <form>', 'table: none, current, relative or absolute (default: none)')
    .option('--duration <time>', 'stop after 500ms, 10s, 5m')
    .option('--ready-file <file>', 'create this file once every probe is recording')
    .option('--ring-mb <n>', 'size of the ring buffer, a power of two (default: 64)')
    .option('--max-lives <n>', 'skbs that can be followed at once (default: 65536)')
    .option(
      '--max-calls <n>',
      'calls that can be open at once, where the kernel has no sessions (default: 65536)',
    )
    .option('--snaplen <bytes>', 'bytes of each packet to keep (default: 128)')
    .option('--no-color', 'no colours (also: the variable NO_COLOR)')
    .option('--kprobe-exits', 'backend kprobe: watch returns too; attaching takes twice as long');
