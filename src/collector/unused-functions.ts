/**
 * Functions of bpf/ that no live code calls, because what they are for is off: `config` says so, and the verifier then takes the calls
 * out. They are a quarter of all code of a start without options.
 */
import { partsOf } from './details.ts';
import { filterBits } from './packet-filter.ts';
import type { ProgramSetOptions } from './program-set.ts';

/** Of global functions and static ones of .text. */
export function unusedFunctions({
  filter,
  netns,
  details,
  inner,
}: Pick<ProgramSetOptions, 'filter' | 'netns' | 'details' | 'inner'>): readonly string[] {
  return [
    // follow.h, pieces.h
    ...(filterBits(filter) === 0 && netns === 0 ? ['first_look', 'read_fragments'] : []),
    // glance.h
    ...(filter.pcap?.glance.possible === true ? [] : ['find_view']),
    // detail.h
    ...(partsOf(details) === 0 ? ['emit_details', 'skb_value'] : []),
    // inner.h
    ...(inner ? [] : ['on_inner', 'on_map', 'on_found', 'begin_running', 'end_running']),
  ];
}
