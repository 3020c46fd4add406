import type { PacketFilter } from '../collector/packet-filter.ts';
import { parseTraceOptions, type TraceFlags, type TraceOptions } from './trace-options.ts';

/** A checked command line, with what it filters by compiled. */
export interface FilteredTrace {
  readonly options: TraceOptions;
  readonly filter: PacketFilter;
}

/** The compilers of filters are loaded only if there is one. */
const isFiltered = (flags: TraceFlags, words: readonly string[]): boolean =>
  words.length > 0 ||
  Object.keys(flags).some((name) => /^(?:filter(?!Func|Netns)|sample)/.test(name));

/** parseTraceOptions with the filter compiled: its mistakes come in the same message. */
export async function parseFilteredTrace(
  flags: TraceFlags,
  words: readonly string[],
  command = 'trace',
): Promise<FilteredTrace> {
  const prepare = isFiltered(flags, words)
    ? (await import('./packet-filter.ts')).preparePacketFilter
    : undefined;
  let filter: PacketFilter = {};
  const options = parseTraceOptions(flags, words, {
    command,
    check(asked, problems) {
      if (prepare !== undefined) filter = prepare(asked, problems);
    },
  });
  return { options, filter };
}
