import type { Command } from 'commander';

/** What commander found of the options for metrics: text, unchecked. */
export interface MetricsFlags {
  readonly metricsListen?: string;
  readonly otlpMetrics?: boolean;
}

export interface MetricsOutput {
  /** undefined: nobody can ask. */
  readonly listen: { readonly host: string; readonly port: number } | undefined;
  /** Push them to where traces go. */
  readonly push: boolean;
}

export const addMetricsOptions = (command: Command): Command =>
  command
    .option('--metrics-listen <address>', 'serve metrics to Prometheus: 127.0.0.1:9464 or :9464')
    .option('--otlp-metrics', 'send metrics by OTLP, too, to where --otlp leads');

/** `host:port`, `[v6]:port` or `:port`, which is all addresses of this machine. */
function parseListen(text: string): MetricsOutput['listen'] {
  const [, inBrackets, plain, digits] = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 0xffff) return undefined;
  const host = inBrackets ?? plain ?? '';
  return { host: host === '' ? '0.0.0.0' : host, port };
}

/** undefined: not asked for. What is wrong is added to `problems`. */
export function parseMetricsOptions(
  { metricsListen, otlpMetrics = false }: MetricsFlags,
  hasOtlp: boolean,
  problems: string[],
): MetricsOutput | undefined {
  const listen = metricsListen === undefined ? undefined : parseListen(metricsListen);
  if (metricsListen !== undefined && listen === undefined)
    problems.push(`--metrics-listen: want an address like 127.0.0.1:9464, not '${metricsListen}'`);
  if (otlpMetrics && !hasOtlp) problems.push('--otlp-metrics needs --otlp');
  return metricsListen === undefined && !otlpMetrics ? undefined : { listen, push: otlpMetrics };
}
