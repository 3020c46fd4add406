import type { Details } from '../collector/details.ts';
import type { PacketFilter } from '../collector/packet-filter.ts';
import { parseTraceOptions, type TraceFlags, type TraceOptions } from './trace-options.ts';

/** What the programs are to be told. */
export interface ChosenTrace {
  readonly filter: PacketFilter;
  readonly details: Details;
}

/** A checked command line, with what it filters by compiled. */
export interface FilteredTrace {
  readonly options: TraceOptions;
  readonly chosen: ChosenTrace;
}

/** The compilers of filters are loaded only if there is one. */
const isFiltered = (flags: TraceFlags, words: readonly string[]): boolean =>
  words.length > 0 ||
  Object.keys(flags).some((name) =>
    /^(?:filter(?!Func|Netns|NonSkb)|sample|outputSkbMetadata)/.test(name),
  );

/** parseTraceOptions with the filter compiled: its mistakes come in the same message. */
export async function parseFilteredTrace(
  flags: TraceFlags,
  words: readonly string[],
  command = 'trace',
): Promise<FilteredTrace> {
  const prepare = isFiltered(flags, words) ? await import('./packet-filter.ts') : undefined;
  let filter: PacketFilter = {};
  let metadata: Details['metadata'];
  const options = parseTraceOptions(flags, words, {
    command,
    check(asked, problems) {
      if (prepare === undefined) return;
      filter = prepare.preparePacketFilter(asked.filter, problems);
      metadata = prepare.prepareMetadata(asked.detail, problems);
    },
  });
  return { options, chosen: { filter, details: { ...options.detail, metadata } } };
}
