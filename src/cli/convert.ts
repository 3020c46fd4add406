import type { Command } from 'commander';
import { addIntakeOptions, type IntakeFlags } from './intake-options.ts';
import { addKafkaOptions, type KafkaFlags } from './kafka-options.ts';
import { parseKafkaSource } from './kafka-source-options.ts';
import { addOtlpOptions, type OtlpFlags } from './otlp-options.ts';
import { addPcapngOptions } from './pcapng-options.ts';
import { parseTraceOptions, type TraceFlags } from './trace-options.ts';

type OutputFlag =
  'json' | 'format' | 'color' | 'outputLimitLines' | 'pcapng' | 'pcapngMode' | 'pcapngRotate';
type ConvertFlags = Pick<TraceFlags, OutputFlag> &
  KafkaFlags &
  OtlpFlags &
  IntakeFlags & { readonly from?: string; readonly parquet?: string };

/** With --from but without --kafka the options of the connection are the source's, and no output's. */
function outputFlags(flags: ConvertFlags): TraceFlags {
  if (flags.from === undefined || flags.kafka !== undefined) return flags;
  const isConnection = (name: string): boolean => /^kafka(?:Tls|Sasl|User|PasswordFile)/.test(name);
  return Object.fromEntries(Object.entries(flags).filter(([name]) => !isConnection(name)));
}

const examples = `
Examples:
  skbspan trace --pcapng run.pcapng.zst --pcapng-mode hop     record
  skbspan convert run.pcapng.zst                              as trees
  skbspan convert run.pcapng.zst --otlp                       as traces to a collector on this host
  skbspan convert run.pcapng.zst --json | jq .flow            as lines of JSON
  skbspan convert --from 'kafka://broker:9092/skbspan.paths?from=1h'   the last hour of a topic
  skbspan convert --from kafka://broker:9092/skbspan.paths --parquet hops.parquet    for SQL
  skbspan convert run.pcapng.zst --pcapng packets.pcapng      each packet once, for Wireshark
  ssh host skbspan trace --pcapng - --pcapng-mode hop | skbspan convert -
`;

/** `skbspan convert`: recordings into any other output. */
export function addConvertCommand(
  program: Command,
  run: (command: Promise<number>) => Promise<void>,
): void {
  const convert = program
    .command('convert')
    .description('make other outputs of what was recorded before');
  addPcapngOptions(addKafkaOptions(addOtlpOptions(addIntakeOptions(convert))))
    .argument('[files...]', 'recordings (--pcapng-mode hop), in order; - is standard input')
    .option(
      '--from <address>',
      'read a topic instead: kafka://HOST:PORT/TOPIC?from=1h&to=latest&group=NAME',
    )
    .option('--parquet <file>', 'a row per call, for DuckDB, Spark and others')
    .option('--json [file]', 'a line of JSON per path; without a file to standard output')
    .option(
      '--format <name>',
      'text on standard output: tree, table or none (default: tree, none beside another output)',
    )
    .option('--output-limit-lines <n>', 'stop after this many lines on standard output')
    .option('--no-color', 'no colours (also: the variable NO_COLOR)')
    .addHelpText('after', examples)
    .allowUnknownOption()
    .action(async (files: string[], flags: ConvertFlags) => {
      const isOption = (word: string): boolean => word.startsWith('-') && word !== '-';
      const words = files.filter(isOption);
      const more: string[] = [];
      const source =
        flags.from === undefined
          ? undefined
          : parseKafkaSource(flags.from, flags, process.env, more);
      if (flags.from !== undefined && files.length > words.length) {
        more.push('files and --from cannot be combined');
      } else if (flags.from === undefined && files.length === 0) {
        more.push('want a file to convert, - for standard input, or --from');
      }
      if (flags.parquet === '' || flags.parquet === '-')
        more.push('--parquet: want the name of a file');
      const options = parseTraceOptions(outputFlags(flags), words, { command: 'convert', more });
      const hasOther = [flags.json, flags.otlp, flags.kafka, flags.pcapng, flags.parquet].some(
        (flag) => flag !== undefined,
      );
      const { runConvert } = await import('./run-convert.ts');
      const isQuiet = hasOther && flags.format === undefined;
      await run(
        runConvert(source ?? files, {
          ...options,
          parquetFile: flags.parquet,
          format: isQuiet ? 'none' : options.format,
        }),
      );
    });
}
