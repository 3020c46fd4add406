/** How large the kernel's tables of lives and of open calls are made: before load, in their maps and in what programs know of them. */
import { config } from '../event/layout.ts';
import type { BpfObject } from '../ffi/libbpf.ts';

/** Of so few lives nearly all may be displaced, if their addresses are that unlucky. */
const fewLives = 1024;

/** The sizes that were asked for: entries; undefined: as in bpf/config.h. `view`: struct config. */
export function sizeTables(
  object: BpfObject,
  view: DataView,
  sizes: { readonly lives?: number | undefined; readonly calls?: number | undefined },
): void {
  if (sizes.calls !== undefined) sizeCalls(object, view, sizes.calls);
  if (sizes.lives !== undefined) sizeLives(object, view, sizes.lives);
}

/** See bpf/calls.h. */
function sizeCalls(object: BpfObject, view: DataView, calls: number): void {
  // A power of two, and not more places than calls were asked for.
  const places = Math.min(view.getUint32(config.callPlaces, true), 2 ** (31 - Math.clz32(calls)));
  view.setUint32(config.callPlaces, places, true);
  object.map('calls').setMaxEntries(calls);
}

/** See bpf/lives.h. */
function sizeLives(object: BpfObject, view: DataView, lives: number): void {
  // A power of two, and at least twice as many homes as lives.
  const bits = 33 - Math.clz32(lives - 1);
  const homes = 2 ** bits;
  const spares = lives <= fewLives ? lives : Math.ceil(lives / 4);
  view.setUint32(config.lives, lives, true);
  view.setUint32(config.lifeHomes, homes, true);
  view.setUint32(config.lifeShift, 64 - bits, true);
  view.setUint32(config.lifeSpares, spares, true);
  object.map('lives').setMaxEntries(homes + spares);
  for (const name of ['displaced', 'spares']) object.map(name).setMaxEntries(spares);
  object.map('taken').setMaxEntries(Math.ceil((homes + spares) / 64));
}
