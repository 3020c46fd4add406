import type { Writable } from 'node:stream';
import type { Tracing } from '../collector/tracing.ts';
import type { Exporter } from '../event/exporter.ts';
import { createJsonExporter } from '../exporters/json/json-exporter.ts';
import type { Metrics } from '../exporters/metrics/metrics.ts';
import { createTextExporter } from '../exporters/text/text-exporter.ts';
import { resolveNetns } from '../kernel/namespaces.ts';
import { formatDuration } from './durations.ts';
import { createIntake } from './intake.ts';
import type { ChosenTrace } from './filtered-trace.ts';
import { openOutputFile, type OutputFile } from './output-file.ts';
import { writeReadyFile } from './ready-file.ts';
import { say } from './say.ts';
import { runSession } from './session.ts';
import { createStandardOutput } from './standard-output.ts';
import { createStopRequest, exitInterrupted } from './stop-request.ts';
import { formatSummary } from './summary.ts';
import type { TraceOptions } from './trace-options.ts';
import { terminalText } from './terminal.ts';
import { readVersion } from './version.ts';

/** What says where paths go. */
export type OutputOptions = Pick<
  TraceOptions,
  'format' | 'jsonFile' | 'otlp' | 'kafka' | 'pcapng' | 'color' | 'table'
>;

export async function chooseExporters(
  options: OutputOptions,
  stdout: Writable,
): Promise<Exporter[]> {
  const { format, jsonFile, otlp, kafka, pcapng, table } = options;
  const exporters: Exporter[] = [];
  if (jsonFile !== '-' && pcapng?.file !== '-' && format !== 'none') {
    const text = { ...terminalText(options.color), output: stdout, format, table };
    exporters.push(createTextExporter(text));
  }
  if (jsonFile !== undefined) {
    exporters.push(createJsonExporter({ output: jsonFile === '-' ? stdout : jsonFile }));
  }
  if (pcapng !== undefined) {
    const { createPcapngExporter } = await import('../exporters/pcapng/pcapng-exporter.ts');
    const { file, mode, rotation } = pcapng;
    const to = { output: file === '-' ? stdout : file, version: readVersion() };
    exporters.push(createPcapngExporter({ ...to, mode, rotation }));
  }
  if (otlp !== undefined) {
    // Imported only when wanted: it is half of all the code that a start would read.
    const { createOtlpExporter } = await import('../exporters/otlp/exporter.ts');
    exporters.push(createOtlpExporter({ ...otlp, version: readVersion() }));
  }
  if (kafka !== undefined) {
    const { createKafkaExporter } = await import('../exporters/kafka/exporter.ts');
    const onNotice = (message: string): void => {
      say(`kafka: ${message}`);
    };
    exporters.push(createKafkaExporter({ ...kafka, version: readVersion() }, onNotice));
  }
  return exporters;
}

/** `26 probes (3 refused)`. */
export function describeProbes({ probes }: Tracing): string {
  const refused = probes.refused.length;
  const programs =
    probes.programs === 0
      ? ''
      : ` and ${probes.programs} tc or XDP program${probes.programs === 1 ? '' : 's'}`;
  return `${probes.attached} probes${programs}${refused === 0 ? '' : ` (${refused} refused)`}`;
}

/** What is pushed at the end may take so long. */
const metricsCloseMs = 2_000;

/** Before anything is attached: a port that is taken is said at once. */
async function openMetrics({ metrics, otlp }: TraceOptions): Promise<Metrics | undefined> {
  if (metrics === undefined) return undefined;
  const { openMetrics } = await import('../exporters/metrics/metrics.ts');
  const { listen, push } = metrics;
  const to = push && otlp !== undefined ? otlp : undefined;
  return openMetrics({ listen, otlp: to, version: readVersion() });
}

/** Runs `skbspan trace` over the packets that the filter chooses, `target` being its standard output; resolves with the exit code. */
export async function runTrace(
  options: TraceOptions,
  { filter, details }: ChosenTrace,
  target: NodeJS.WritableStream = process.stdout,
): Promise<number> {
  const stop = createStopRequest();
  let metrics: Metrics | undefined;
  let file: OutputFile | undefined;
  let timer: NodeJS.Timeout | undefined;
  try {
    metrics = await openMetrics(options);
    if (options.outputFile !== undefined) file = await openOutputFile(options.outputFile);
    const stdout = createStandardOutput(file ?? target, {
      limitLines: options.limitLines,
      onEnd: stop.request,
    });
    const result = await runSession({
      stop,
      exporters: await chooseExporters(options, stdout),
      intake: createIntake(options.intake, metrics?.observe),
      tracing: {
        backend: options.backend,
        functions: options.functions,
        modules: options.modules,
        netns: options.netns === undefined ? undefined : resolveNetns(options.netns),
        filter,
        details,
        innerFunctions: options.detail.innerFunctions,
        ringBytes: options.ringBytes,
        maps: options.maps,
        snaplenBytes: options.snaplenBytes,
        exits: options.exits ? true : undefined,
        programs: options.programs,
      },
      onReady: async (tracing, state) => {
        metrics?.setSource(state);
        const until =
          options.durationMs === undefined
            ? 'Ctrl-C ends it'
            : `for ${formatDuration(options.durationMs)}`;
        say(`tracing by ${tracing.backend} with ${describeProbes(tracing)}; ${until}`);
        if (options.readyFile !== undefined) await writeReadyFile(options.readyFile);
        if (options.durationMs !== undefined) {
          timer = setTimeout(() => {
            stop.request('duration');
          }, options.durationMs);
        }
      },
    });
    if (result === undefined) return exitInterrupted;
    process.stderr.write(formatSummary(result.statistics, result.elapsedMs));
    if (result.broken !== undefined) throw result.broken;
    return 0;
  } finally {
    clearTimeout(timer);
    await file?.finish();
    await metrics?.close(metricsCloseMs);
    stop.dispose();
  }
}
