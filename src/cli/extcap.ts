/**
 * `skbspan extcap`: how Wireshark's capture dialog talks to skbspan (doc/extcap.adoc of Wireshark). wireshark/extcap/skbspan
 * calls it. Wireshark asks for interfaces, link types and options by one flag each, and then starts the capture into a
 * pipe; when the person stops it, it ends the process or closes the pipe.
 */
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { Command } from 'commander';
import { backendNames } from '../collector/backend.ts';
import { UsageError } from '../errors.ts';
import { parseFilteredTrace } from './filtered-trace.ts';
import type { TraceFlags } from './trace-options.ts';
import { readVersion } from './version.ts';

interface ExtcapFlags extends TraceFlags {
  readonly extcapInterfaces?: boolean;
  readonly extcapDlts?: boolean;
  readonly extcapConfig?: boolean;
  readonly capture?: boolean;
  readonly fifo?: string;
  readonly extcapCaptureFilter?: string;
}

/** What a dialog offers; `call` is an option of `skbspan trace`. */
const choices: readonly {
  readonly call: string;
  readonly display: string;
  readonly tooltip: string;
  readonly type: 'string' | 'unsigned' | 'selector';
  readonly default?: string;
  readonly values?: readonly (readonly [value: string, display: string])[];
}[] = [
  {
    call: '--pcapng-mode',
    display: 'Mode',
    tooltip: 'What a record is',
    type: 'selector',
    default: 'path',
    values: [
      ['path', 'Each packet once, with its path as comments'],
      ['hop', 'A record per call of a kernel function'],
    ],
  },
  {
    call: '--filter-func',
    display: 'Functions',
    tooltip: 'Regular expression that a whole function name must match; empty: all',
    type: 'string',
  },
  {
    call: '--filter-netns',
    display: 'Network namespace',
    tooltip: 'Path, name of ip netns or inode:<number>; empty: all',
    type: 'string',
  },
  {
    call: '--backend',
    display: 'Backend',
    tooltip: 'How to attach',
    type: 'selector',
    default: '',
    values: [['', 'The best there is'], ...backendNames.map((name) => [name, name] as const)],
  },
  {
    call: '--snaplen',
    display: 'Bytes of each packet',
    tooltip: 'Snap length',
    type: 'unsigned',
    default: '128',
  },
];

const sentence = (fields: Readonly<Record<string, string | undefined>>): string =>
  Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `{${key}=${value ?? ''}}`)
    .join('');

const interfaces = (): string =>
  [
    `extcap ${sentence({ version: readVersion(), display: 'skbspan' })}`,
    `interface ${sentence({ value: 'skbspan', display: 'skbspan: packets and their path through the kernel' })}`,
  ].join('\n');

/** The file says it for each packet anew. */
const linkTypes = `dlt ${sentence({ number: '1', name: 'EN10MB', display: 'As the packet has it' })}`;

const configuration = (): string =>
  choices
    .flatMap(({ values, ...choice }, number) => [
      `arg ${sentence({ number: String(number), ...choice })}`,
      ...(values ?? []).map(
        ([value, display]) =>
          `value ${sentence({ arg: String(number), value, display, default: String(value === choice.default) })}`,
      ),
    ])
    .join('\n');

/** What the dialog gives for `choices`; empty fields are not asked for. */
function wantedOf(flags: ExtcapFlags): TraceFlags {
  const { pcapngMode = '', backend = '', filterFunc = '', filterNetns = '', snaplen = '' } = flags;
  return {
    pcapng: '-',
    ...(pcapngMode === '' ? {} : { pcapngMode }),
    ...(backend === '' ? {} : { backend }),
    ...(filterFunc === '' ? {} : { filterFunc }),
    ...(filterNetns === '' ? {} : { filterNetns }),
    ...(snaplen === '' ? {} : { snaplen }),
  };
}

async function capture(flags: ExtcapFlags): Promise<number> {
  const { fifo, extcapCaptureFilter: filter = '' } = flags;
  if (fifo === undefined) throw new UsageError('--capture needs --fifo');
  const words = filter === '' ? [] : [filter];
  const { options, chosen } = await parseFilteredTrace(wantedOf(flags), words, 'extcap');
  const { runTrace } = await import('./run-trace.ts');
  const pipe = createWriteStream(fifo);
  // Wireshark takes whatever comes by standard error for an error; the losses are in the file's statistics.
  const write = process.stderr.write.bind(process.stderr);
  process.stderr.write = () => true;
  try {
    const status = await runTrace(options, chosen, pipe);
    pipe.end();
    // Whoever read it may have gone: that is how a capture is stopped.
    await finished(pipe).catch(() => undefined);
    return status;
  } finally {
    process.stderr.write = write;
  }
}

export function addExtcapCommand(
  program: Command,
  run: (command: Promise<number>) => Promise<void>,
): void {
  program
    .command('extcap', { hidden: true })
    .description('what Wireshark calls to capture with skbspan')
    .option('--extcap-interfaces')
    .option('--extcap-interface <name>')
    .option('--extcap-version <version>')
    .option('--extcap-dlts')
    .option('--extcap-config')
    .option('--extcap-capture-filter <filter>')
    .option('--capture')
    .option('--fifo <file>')
    .option('--pcapng-mode <mode>')
    .option('--filter-func <regex>')
    .option('--filter-netns <spec>')
    .option('--backend <name>')
    .option('--snaplen <bytes>')
    .action(async (flags: ExtcapFlags) => {
      if (flags.capture === true) {
        await run(capture(flags));
        return;
      }
      const answer =
        flags.extcapInterfaces === true
          ? interfaces()
          : flags.extcapDlts === true
            ? linkTypes
            : flags.extcapConfig === true
              ? configuration()
              : '';
      process.stdout.write(`${answer}\n`);
    });
}
