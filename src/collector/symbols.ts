import type { CodeLocation } from '../event/packet-path.ts';
import { createCgroupOwners } from '../kernel/cgroup-paths.ts';
import { dropReasonName } from '../kernel/drop-reasons.ts';
import { kernelSymbols } from '../kernel/kallsyms.ts';
import { namespaceName } from '../kernel/namespaces.ts';
import type { ProbeName, Symbols } from './path-builder.ts';
import type { ProbePlan } from './probe-plan.ts';

/** Subsystems by the first word of their tracepoints' names (/sys/kernel/tracing/events/<subsystem>/<name>). */
const subsystems = new Map([
  ['net', 'net'],
  ['netif', 'net'],
  ['napi', 'net'],
  ['qdisc', 'qdisc'],
  ['tcp', 'tcp'],
  ['sock', 'sock'],
  ['udp', 'udp'],
  ['icmp', 'icmp'],
  ['skb', 'skb'],
]);

const tracepointName = (name: string): string => {
  const subsystem = subsystems.get(name.slice(0, name.indexOf('_')));
  return subsystem === undefined ? name : `${subsystem}:${name}`;
};

/** Names for what records carry as numbers: probes of this run's plan and traced BPF programs, code addresses, drop reasons, namespaces. */
export function createSymbols(
  plan: ProbePlan,
  program: (id: number) => ProbeName | undefined = () => undefined,
): Symbols {
  const probes = new Map(
    plan.probes.map(({ id, func, module, kind }) => [
      id,
      { func: kind === 'tracepoint' ? tracepointName(func) : func, module, kind },
    ]),
  );
  const places = new Map<bigint, CodeLocation>();
  const owners = createCgroupOwners();

  const locate = (address: bigint): CodeLocation => {
    const found = kernelSymbols().lookup(address);
    return {
      address,
      func: found?.name ?? '',
      offset: found?.offset ?? 0,
      module: found?.module,
    };
  };

  return {
    probe: (id) =>
      probes.get(id) ?? program(id) ?? { func: `probe ${id}`, module: undefined, kind: 'function' },
    location(address) {
      let place = places.get(address);
      if (place === undefined) {
        place = locate(address);
        places.set(address, place);
      }
      return place;
    },
    dropReason: dropReasonName,
    netnsName: namespaceName,
    owner: (cgroup, tgid) => owners.owner(cgroup, tgid),
  };
}
