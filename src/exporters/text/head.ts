import type { PacketPath } from '../../event/packet-path.ts';
import { duration, flowText, place, timeOfDay } from './format.ts';
import { endingText, lossText, outcome } from './outcome.ts';
import type { Paint } from './paint.ts';

/** More lines of losses than this help nobody; the rest is counted. */
const LOSS_LINES = 5;

/** The places that a path went through, in order: `client:veth0 → server:veth1`. */
function places(path: PacketPath): string {
  const calls = path.lives.flatMap((life) => life.calls);
  const seen: { readonly netns: number; readonly name: string; readonly text: string }[] = [];
  for (const { device } of calls.toSorted((a, b) => a.offsetNs - b.offsetNs)) {
    const last = seen.at(-1);
    const text = place(device);
    if (text === '' || text === last?.text) continue;
    // Without a device the namespace alone is no news.
    if (last?.netns === device.netns && device.name === '') continue;
    if (last?.netns === device.netns && last.name === '') seen.pop();
    if (seen.at(-1)?.text === text) continue;
    seen.push({ netns: device.netns, name: device.name, text });
  }
  return seen.map(({ text }) => text).join(' → ');
}

function facts(path: PacketPath): string {
  const sights = path.lives.flatMap((life) => life.packets);
  const vlan = sights.find((sight) => sight.vlan !== undefined)?.vlan;
  const gso = sights.find((sight) => (sight.gso?.segments ?? 0) > 1)?.gso;
  const enterOnly = path.lives.some((life) =>
    life.calls.some((call) => call.timing === 'enter-only'),
  );
  return [
    places(path),
    vlan === undefined ? '' : `vlan ${vlan.tci & 0xfff}`,
    gso === undefined ? '' : `gso ${gso.segments} x ${gso.size} B`,
    enterOnly ? 'enter-only: a call ends where the next one begins' : '',
  ]
    .filter((fact) => fact !== '')
    .join('   ');
}

/** Length when it first had the headers that it is called by, in bytes: one made here begins with less, or with nothing. */
export function packetLength(path: PacketPath): number {
  const name = flowText(path.flow);
  const sights = path.lives.flatMap((life) => life.packets);
  const named = sights.find(({ flow }) => flow !== undefined && flowText(flow) === name);
  return named?.len ?? path.lives[0]?.calls[0]?.len ?? path.lives[0]?.packets[0]?.len ?? 0;
}

/** What stands above the tree: who, when, which way, how it ended; places; what is missing. */
export function headLines(path: PacketPath, paint: Paint): string[] {
  const end = outcome(path);
  const way = path.direction === 'unknown' ? [] : [path.direction];
  const title = [
    `${timeOfDay(path.startTimeNs)} #${path.id} ${flowText(path.flow)}`,
    `${packetLength(path)} B`,
    ...way,
    ...(path.origin === undefined ? [] : [`on ${path.origin.host}`]),
    duration(path.durationNs),
  ].join('   ');
  const lines = [
    `${paint('head', title)}   ${paint(end.dropped ? 'drop' : 'plain', end.text)}`,
    paint('faint', facts(path)),
    paint('loss', endingText(path)),
  ];
  const ids = path.lives.map((life) => life.id);
  for (const loss of path.losses.slice(0, LOSS_LINES)) {
    lines.push(paint('loss', `! ${lossText(loss, ids)}`));
  }
  const more = path.losses.length - LOSS_LINES;
  if (more > 0) lines.push(paint('loss', `! and ${more} more losses`));
  return lines
    .filter((line) => line !== '')
    .map((line, index) => (index === 0 ? line : `    ${line}`));
}
