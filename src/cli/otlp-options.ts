import type { Command } from 'commander';
import { protocols } from '../exporters/otlp/endpoint.ts';
import type { OtlpOptions } from '../exporters/otlp/options.ts';

/** What commander found of `--otlp...`: text, unchecked. */
export interface OtlpFlags {
  /** true: asked for without a value. */
  readonly otlp?: string | true;
  readonly otlpProtocol?: string;
  readonly otlpTimeScale?: string;
  readonly otlpClones?: string;
  readonly otlpMaxSpans?: string;
  readonly spanDetail?: string;
  readonly otlpJoin?: string;
}

/** `endpoint`, `protocol` undefined: as the OTEL_* variables say. The exporter checks the endpoint. */
export type OtlpOutput = Required<
  Pick<
    OtlpOptions,
    'endpoint' | 'protocol' | 'timeScale' | 'clones' | 'detail' | 'maxSpans' | 'join'
  >
>;

const cloneChoices = ['same_trace', 'own_trace'] as const;
const details = ['calls', 'milestones', 'packet'] as const;

const joins = ['link', 'child', 'off'] as const;

/** Jaeger's UI becomes slow beyond some thousand spans; it is also some 1.5 MB, and Tempo refuses traces of 5 MB. */
const defaultMaxSpans = 2000;
const maxSpansMost = 1_000_000;
const timeScaleMost = 1_000_000;

export const addOtlpOptions = (command: Command): Command =>
  command
    .option('--otlp [url]', 'send each path as a trace by OTLP (default: the OTEL_* variables)')
    .option(
      '--otlp-protocol <protocol>',
      `${protocols.join(' or ')} (default: the OTEL_* variables, else http for port 4318 or a URL with a path)`,
    )
    .option('--span-detail <level>', `what becomes a span: ${details.join(', ')} (default: calls)`)
    .option(
      '--otlp-clones <where>',
      `clones are in the ${cloneChoices.join(' or an ')} (default: same_trace)`,
    )
    .option('--otlp-max-spans <n>', `spans of one trace at most (default: ${defaultMaxSpans})`)
    .option(
      '--otlp-join <how>',
      `a packet with an application's trace context: ${joins.join(', ')} (default: link)`,
    )
    .option(
      '--otlp-time-scale <n>',
      'make traces n times as long: 1000 lets a viewer of microseconds show nanoseconds (default: 1)',
    );

function whole(text: string, least: number, most: number): number | undefined {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= most ? value : undefined;
}

/** undefined: not asked for. What is wrong is added to `problems`. */
export function parseOtlpOptions(flags: OtlpFlags, problems: string[]): OtlpOutput | undefined {
  const { otlp } = flags;
  const given = {
    '--otlp-protocol': flags.otlpProtocol,
    '--otlp-time-scale': flags.otlpTimeScale,
    '--otlp-clones': flags.otlpClones,
    '--otlp-max-spans': flags.otlpMaxSpans,
    '--span-detail': flags.spanDetail,
    '--otlp-join': flags.otlpJoin,
  };
  if (otlp === undefined)
    for (const [option, value] of Object.entries(given))
      if (value !== undefined) problems.push(`${option} needs --otlp`);
  if (otlp === '') problems.push('--otlp: the value is empty');

  const checked = <T>(
    option: keyof typeof given,
    parse: (text: string) => T | undefined,
    want: string,
    otherwise: T,
  ): T => {
    const text = given[option];
    if (text === undefined) return otherwise;
    const value = parse(text);
    if (value === undefined) problems.push(`${option}: want ${want}, not '${text}'`);
    return value ?? otherwise;
  };
  const protocol = checked(
    '--otlp-protocol',
    (text) => protocols.find((name) => name === text),
    protocols.join(' or '),
    undefined,
  );
  const timeScale = checked(
    '--otlp-time-scale',
    (text) => whole(text, 1, timeScaleMost),
    `a whole number from 1 to ${timeScaleMost}`,
    1,
  );
  const clones = checked(
    '--otlp-clones',
    (text) => cloneChoices.find((name) => name === text),
    cloneChoices.join(' or '),
    'same_trace',
  );
  const maxSpans = checked(
    '--otlp-max-spans',
    (text) => whole(text, 2, maxSpansMost),
    `a whole number from 2 to ${maxSpansMost}`,
    defaultMaxSpans,
  );
  const detail = checked(
    '--span-detail',
    (text) => details.find((name) => name === text),
    details.join(', '),
    'calls',
  );
  const join = checked(
    '--otlp-join',
    (text) => joins.find((name) => name === text),
    joins.join(', '),
    'link',
  );
  if (otlp === undefined) return undefined;
  const endpoint = otlp === true ? undefined : otlp;
  return { endpoint, protocol, timeScale, clones, maxSpans, detail, join };
}
