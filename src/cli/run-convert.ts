import type { PacketPath } from '../event/packet-path.ts';
import type { PathSource } from '../event/source.ts';
import { createPipeline } from '../pipeline/pipeline.ts';
import type { KafkaSourceOptions } from '../sources/kafka/kafka-source.ts';
import { createPcapngSource } from '../sources/pcapng/pcapng-source.ts';
import { createIntake } from './intake.ts';
import type { IntakeOptions } from './intake-options.ts';
import { chooseExporters, type OutputOptions } from './run-trace.ts';
import { say } from './say.ts';
import { createStandardOutput } from './standard-output.ts';
import { createStopRequest, type StopRequest } from './stop-request.ts';
import { formatSummary } from './summary.ts';

/** One batch may be tried for so long before its paths count as not delivered. */
const deliverMs = 60_000;
/** For what is still queued when everything has been read. */
const shutdownMs = 120_000;

export interface ConvertOptions extends OutputOptions {
  readonly limitLines: number | undefined;
  readonly intake: IntakeOptions;
  readonly parquetFile?: string | undefined;
}

/** Whoever waits for a source that waits itself need not wait any more. */
const ended = { done: true, value: undefined } as const;

/** Files, or a topic. */
export type ConvertSource = readonly string[] | Omit<KafkaSourceOptions, 'onNotice'>;

async function openSource(source: ConvertSource): Promise<PathSource> {
  if (!('address' in source))
    return createPcapngSource({ files: source, stdin: process.stdin, onNotice: say });
  const { createKafkaSource } = await import('../sources/kafka/kafka-source.ts');
  return createKafkaSource({ ...source, onNotice: say });
}

/** Reads paths from a source and hands them to the outputs; resolves with the exit code. */
export async function runConvert(source: ConvertSource, options: ConvertOptions): Promise<number> {
  return convert(await openSource(source), options);
}

/** The same for any source. What stands before damage is written, then the damage is thrown. */
export async function convert(source: PathSource, options: ConvertOptions): Promise<number> {
  const stop = createStopRequest();
  try {
    return await pump(source, options, stop);
  } finally {
    stop.dispose();
    await source.close();
  }
}

async function pump(
  source: PathSource,
  options: ConvertOptions,
  stop: StopRequest,
): Promise<number> {
  const began = performance.now();
  await source.open();
  // The first batch before any output is opened: what is no recording is refused before anything is written.
  const batches = source.paths()[Symbol.asyncIterator]();
  const nextOrStop = (): Promise<IteratorResult<readonly PacketPath[], unknown>> => {
    const next = batches.next();
    // It may fail when the source is closed, and nobody waits for it any more.
    next.catch(() => undefined);
    return Promise.race([next, stop.requested.then(() => ended)]);
  };
  let next = await nextOrStop();
  const stdout = createStandardOutput(process.stdout, {
    limitLines: options.limitLines,
    onEnd: stop.request,
  });
  const exporters = await chooseExporters(options, stdout);
  if (options.parquetFile !== undefined) {
    const { createParquetExporter } = await import('../exporters/parquet/parquet-exporter.ts');
    exporters.push(createParquetExporter(options.parquetFile));
  }
  const pipeline = createPipeline({
    exporters,
    deadlineMs: deliverMs,
    lossless: true,
    onNotice: say,
  });
  const intake = createIntake(options.intake);
  await pipeline.start();
  let failure: unknown;
  try {
    // Until Ctrl-C, --output-limit-lines, or a reader of standard output that has gone.
    for (; next.done !== true && stop.reason === undefined; next = await nextOrStop()) {
      await pipeline.push(intake.take(next.value));
      if (source.commits === true) await Promise.race([pipeline.flush(), stop.requested]);
    }
  } catch (error) {
    failure = error;
  }
  const statistics = await pipeline.shutdown(shutdownMs, intake.counted(source.statistics()));
  process.stderr.write(formatSummary(statistics, performance.now() - began));
  if (failure !== undefined) throw failure as Error;
  return 0;
}
