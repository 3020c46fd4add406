import { UsageError } from '../../errors.ts';

/** Where in a topic: at an end of it, at a time (ms since 1970), or at an offset of each partition. */
export type Position =
  | { readonly at: 'earliest' | 'latest' }
  | { readonly at: 'time'; readonly ms: number }
  | { readonly at: 'offset'; readonly offset: bigint };

export interface KafkaAddress {
  readonly brokers: readonly string[];
  readonly topic: string;
  /** undefined: the earliest, or where the group stopped. */
  readonly from: Position | undefined;
  readonly to: Position;
  /** undefined: a group of its own, which nobody else is in. */
  readonly group: string | undefined;
}

const units = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `earliest`, `latest`, `offset:N`, `2026-11-23T10:00:00Z`, or `1h` for an hour ago; undefined if it is none of them. */
export function parsePosition(text: string, now: number): Position | undefined {
  if (text === 'earliest' || text === 'latest') return { at: text };
  const offset = /^offset:(\d+)$/.exec(text)?.[1];
  if (offset !== undefined) return { at: 'offset', offset: BigInt(offset) };
  const ago = /^(\d+)([smhd])$/.exec(text);
  if (ago !== null) {
    return { at: 'time', ms: now - Number(ago[1]) * units[ago[2] as keyof typeof units] };
  }
  const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? undefined : { at: 'time', ms };
}

/**
 * `kafka://host:port,host:port/topic?from=1h&to=latest&group=name`. Throws UsageError that names every mistake.
 */
export function parseKafkaAddress(text: string, now = Date.now()): KafkaAddress {
  const match = /^kafka:\/\/([^/?#]+)\/([\w.-]+)(?:\?(.*))?$/.exec(text);
  if (match === null) {
    throw new UsageError(`'${text}' is no address of a topic.`, {
      advice: 'Write it as kafka://HOST:PORT/TOPIC, or kafka://HOST:PORT/TOPIC?from=1h&group=NAME.',
    });
  }
  const [, hosts = '', topic = '', query = ''] = match;
  const problems: string[] = [];
  const brokers = hosts.split(',').map((host) => {
    if (!/^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i.test(host))
      problems.push(`'${host}' is no host:port`);
    return /:\d+$/.test(host) ? host : `${host}:9092`;
  });
  const settings = new URLSearchParams(query);
  const position = (name: string): Position | undefined => {
    const value = settings.get(name);
    const found = value === null ? undefined : parsePosition(value, now);
    if (value !== null && found === undefined) {
      problems.push(
        `${name}: want earliest, latest, offset:N, a time such as 2026-11-23T10:00:00Z or 1h for an hour ago, not '${value}'`,
      );
    }
    return found;
  };
  const from = position('from');
  const to = position('to') ?? { at: 'latest' };
  const group = settings.get('group') ?? undefined;
  if (group === '') problems.push('group: the value is empty');
  for (const name of settings.keys()) {
    if (!['from', 'to', 'group'].includes(name))
      problems.push(`'${name}' is unknown; there are from, to and group`);
  }
  if (problems.length > 0) throw new UsageError(`${text}: ${problems.join('; ')}.`);
  return { brokers, topic, from, to, group };
}
