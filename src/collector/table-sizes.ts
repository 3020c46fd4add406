/** How large the kernel's tables of lives and of open calls are made: before load, in their maps and in what programs know of them. */
import { config } from '../event/layout.ts';
import type { BpfObject } from '../ffi/libbpf.ts';

/** Of so few lives nearly all may be displaced, if their addresses are that unlucky. */
const fewLives = 1024;

/** LIVES_MAX in bpf/config.h. */
const defaultLives = 65_536;

/** Of how many places the table consists: `homes` is 2 ** bits, at least twice as many as lives. See bpf/lives.h. */
export function lifeSizes(lives = defaultLives): { bits: number; homes: number; spares: number } {
  const bits = 33 - Math.clz32(lives - 1);
  return { bits, homes: 2 ** bits, spares: lives <= fewLives ? lives : Math.ceil(lives / 4) };
}

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
  const { bits, homes, spares } = lifeSizes(lives);
  view.setUint32(config.lives, lives, true);
  view.setUint32(config.lifeHomes, homes, true);
  view.setUint32(config.lifeShift, 64 - bits, true);
  view.setUint32(config.lifeSpares, spares, true);
  view.setUint32(config.lifePlaces, homes + spares, true);
  for (const name of ['displaced', 'spares']) object.map(name).setMaxEntries(spares);
  object.map('taken').setMaxEntries(Math.ceil((homes + spares) / 64));
}
