/** Where a life went over to another namespace, device or CPU: calls whose surroundings differ from those of the call before. */
import type { Call, Crossing, Device } from './packet-path.ts';

/** `maker` is the call that made this life: it begins where that one ran. */
export function findCrossings(calls: readonly Call[], maker: Call | undefined): Crossing[] {
  const [first] = calls;
  if (first === undefined) return [];
  const crossings: Crossing[] = [];
  let { device, cpu } = maker ?? first;
  for (const [index, call] of calls.entries()) {
    const { offsetNs } = call;
    const add = (kind: Crossing['kind'], to: Device): void => {
      const cpus = { fromCpu: cpu, toCpu: kind === 'cpu' ? call.cpu : cpu };
      crossings.push({ kind, call: index, offsetNs, from: device, to, ...cpus });
    };
    // The objects are shared: mostly it is the same one.
    if (call.device !== device && call.device.netns !== 0) {
      const to = call.device;
      if (isOther(device, to)) add(device.netns === to.netns ? 'device' : 'netns', to);
      // Without a device it is still where it was, unless the namespace is another.
      if (to.ifindex !== 0 || device.netns !== to.netns) device = to;
    }
    if (call.cpu !== cpu) {
      add('cpu', device);
      cpu = call.cpu;
    }
  }
  return crossings;
}

/** A packet that gets its first device has not crossed over to it. */
const isOther = (from: Device, to: Device): boolean =>
  from.netns !== 0 &&
  (from.netns !== to.netns ||
    (from.ifindex !== to.ifindex && from.ifindex !== 0 && to.ifindex !== 0));
