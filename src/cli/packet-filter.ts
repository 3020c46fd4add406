/** From checked options to what the programs are told: expressions are compiled, names looked up. */
import type { PacketFilter } from '../collector/packet-filter.ts';
import { compilePcapFilter } from '../filter/pcap-filter.ts';
import {
  compileSkbExpression,
  compileSkbValues,
  type SkbValues,
} from '../filter/skb-expression.ts';
import { createStructTypes } from '../kernel/btf-members.ts';
import { loadKernelBtf } from '../kernel/btf-source.ts';
import { containerCgroup, resolveCgroup } from '../kernel/cgroups.ts';
import type { DetailOptions } from './detail-options.ts';
import { collect, type FilterOptions } from './filter-options.ts';

/** Adds every mistake to `problems`; what is returned holds then for nothing. */
export function preparePacketFilter(options: FilterOptions, problems: string[]): PacketFilter {
  const { expression, cgroup, container } = options;
  return {
    pcap: collect(problems, () => compilePcapFilter(options)),
    expression: collect(problems, () =>
      expression === undefined
        ? undefined
        : compileSkbExpression(expression, createStructTypes(loadKernelBtf())),
    ),
    mark: options.mark,
    ifname: options.ifname,
    process: options.process,
    cgroup: collect(problems, () => {
      if (cgroup !== undefined) return resolveCgroup(cgroup);
      return container === undefined ? undefined : containerCgroup(container);
    }),
    sampleRate: options.sampleRate,
    direction: options.direction,
  };
}

/** The same for expressions whose values are wanted. */
export const prepareMetadata = (
  { metadata }: DetailOptions,
  problems: string[],
): SkbValues | undefined =>
  collect(problems, () =>
    metadata === undefined
      ? undefined
      : compileSkbValues(metadata, createStructTypes(loadKernelBtf()), '--output-skb-metadata'),
  );
