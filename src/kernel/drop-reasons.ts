/*
 * Drop reasons are numbers of the running kernel, not of any ABI: they are read from its BTF. The upper 16 bits name a
 * subsystem (enum skb_drop_reason_subsys); zero is the core's own enum, each other one has an enum of its own, in vmlinux or
 * in the module that registered it.
 */
import { type Btf, kinds } from './btf.ts';
import { loadKernelBtf, loadModuleBtf, moduleNames } from './btf-source.ts';
import { enumValues, findType } from './btf-types.ts';

/** Subsystems whose reasons are in an enum of another name than `<subsystem>_drop_reason`. */
const enumsOf: Record<string, readonly string[]> = {
  MAC80211_UNUSABLE: ['mac80211_drop_reason'],
  MAC80211_MONITOR: ['mac80211_drop_reason'],
  OPENVSWITCH: ['ovs_drop_reason'],
};

const subsystemPrefix = 'SKB_DROP_REASON_SUBSYS_';

/** SKB_DROP_REASON_NO_SOCKET -> NO_SOCKET, SKB_CONSUMED -> CONSUMED; other names are told as they are. */
const shorten = (name: string): string => name.replace(/^SKB_(?:DROP_REASON_)?/, '');

export interface DropReasons {
  /** Name of a reason; `reason <n>` if this kernel does not tell. */
  name(code: number): string;
}

const isMarker = (name: string): boolean =>
  /_(?:MAX|MASK|NUM|LAST)$/.test(name) || name.startsWith(subsystemPrefix);

/** Reads the reasons of a kernel from its BTF and, when a subsystem's number first comes up, those of its modules. */
export const createDropReasons = (
  vmlinux: Btf,
  modules: () => readonly Btf[] = () => [],
): DropReasons => {
  const names = new Map<number, string>();
  const add = (btf: Btf, enumName: string, subsystem?: number): void => {
    for (const [name, value] of enumValues(btf, enumName) ?? []) {
      const code = Number(value) >>> 0;
      const fits = subsystem === undefined || code >>> 16 === subsystem;
      if (fits && !isMarker(name) && !names.has(code)) names.set(code, shorten(name));
    }
  };
  add(vmlinux, 'skb_drop_reason');
  const subsystems = new Map<number, string>();
  for (const [name, value] of enumValues(vmlinux, 'skb_drop_reason_subsys') ?? [])
    subsystems.set(Number(value), name.replace(subsystemPrefix, ''));

  const searched = new Set<number>();
  const search = (number: number): void => {
    searched.add(number);
    const subsystem = subsystems.get(number);
    if (subsystem === undefined) return;
    const candidates = enumsOf[subsystem] ?? [`${subsystem.toLowerCase()}_drop_reason`];
    for (const btf of [vmlinux, ...modules()])
      for (const candidate of candidates)
        if (findType(btf, candidate, kinds.enum) !== undefined) add(btf, candidate, number);
  };
  return {
    name(code) {
      const unsigned = code >>> 0;
      const subsystem = unsigned >>> 16;
      if (!names.has(unsigned) && subsystem !== 0 && !searched.has(subsystem)) search(subsystem);
      return names.get(unsigned) ?? `reason ${unsigned}`;
    },
  };
};

const loadedModules = (): readonly Btf[] =>
  moduleNames()
    .map(loadModuleBtf)
    .filter((btf) => btf !== undefined);

let reasons: DropReasons | undefined;

/** Name of a drop reason of the running kernel, without its prefix: NO_SOCKET. `reason <n>` if unknown. */
export const dropReasonName = (code: number): string => {
  reasons ??= createDropReasons(loadKernelBtf(), loadedModules);
  return reasons.name(code);
};
