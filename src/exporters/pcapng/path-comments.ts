/**
 * What path mode writes beside a packet: a line for people, the path as words, and its calls one below the other.
 *
 *   17 calls  46.8us  client:veth0 -> server:veth1  consumed at icmp_rcv+0x1a3
 *   path id=17 trace=... dur=46800ns calls=17 lives=1 netns=client,server dev=veth0,veth1 ...
 *   calls
 *   ip_send_skb dur=46800ns at=0ns
 *     ip_local_out dur=46200ns at=400ns
 */
import type { Call, Life, LifeEnd, PacketPath } from '../../event/packet-path.ts';
import { codeLocation, duration, flowAddresses, place } from '../text/format.ts';
import { lossText, outcome, ruleText } from '../text/outcome.ts';
import { optionBytesMax } from './options.ts';
import { isFilledIn } from './filled-in.ts';
import { commentKind, encodeWord } from './words.ts';

/** Longer lists of calls are cut: Wireshark shows ten lines of a comment, a filter sees all. A character may take 3 bytes. */
const CALLS_CHARACTERS_MAX = Math.floor(optionBytesMax / 3) - 100;
const LIST_MAX = 64;

/** Each life's calls merged by time. */
function callsInOrder(path: PacketPath): { readonly call: Call; readonly life: Life }[] {
  const calls = path.lives.flatMap((life) => life.calls.map((call) => ({ call, life })));
  // A sort keeps the order of equals: calls of one life stay as they are.
  return path.lives.length === 1
    ? calls
    : calls.sort((left, right) => left.call.offsetNs - right.call.offsetNs);
}

function places(calls: readonly { readonly call: Call }[]): string[] {
  const seen: string[] = [];
  for (const { call } of calls) {
    if (call.device.name === '') continue;
    const text = place(call.device);
    if (text !== seen.at(-1)) seen.push(text);
  }
  return seen;
}

const endWords: Readonly<Record<LifeEnd['how'], string>> = {
  dropped: 'dropped',
  consumed: 'consumed',
  released: 'released',
  memory: 'freed',
  reused: 'end not seen',
  morphed: 'replaced',
};

/** A drop of any life counts first; else what became of the packet's first life. */
const endOf = (path: PacketPath): LifeEnd | undefined =>
  path.lives.find((life) => life.end?.how === 'dropped')?.end ?? path.lives[0]?.end;

const locationText = ({ location }: LifeEnd): string =>
  location === undefined || location.address === 0n ? '' : codeLocation(location);

function endText(path: PacketPath): string {
  const { kind } = path.outcome;
  if (kind === 'delivered' || kind === 'transmitted') return outcome(path).text;
  const end = endOf(path);
  if (end === undefined) return 'still alive';
  const why = end.how === 'dropped' ? ` ${end.reason ?? 'for no reason given'}` : '';
  const where = locationText(end);
  const who = end.program === undefined ? '' : ` by ${end.program}`;
  const rule = end.rule === undefined ? '' : ` by ${ruleText(end.rule)}`;
  return `${endWords[end.how]}${why}${who}${where === '' ? '' : ` at ${where}`}${rule}`;
}

/** The names under which the packet was known, if they changed: NAT, tunnels. */
function renamings(path: PacketPath): string[] {
  const names: string[] = [];
  for (const { packets } of path.lives) {
    for (const { flow } of packets) {
      if (!isFilledIn(flow) || flow.sourceAddress === '') continue;
      const name = flowAddresses(flow);
      if (!names.includes(name)) names.push(name);
    }
  }
  return names.length > 1 ? names : [];
}

const counted = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? '' : 's'}`;

function sentence(
  path: PacketPath,
  calls: readonly { readonly call: Call }[],
  names: readonly string[],
  isSegmented: boolean,
): string {
  return [
    counted(calls.length, 'call'),
    duration(path.durationNs),
    places(calls).slice(0, LIST_MAX).join(' -> '),
    path.lives.length === 1 ? '' : counted(path.lives.length, 'life').replace('lifes', 'lives'),
    names.length === 0 ? '' : `renamed: ${names.slice(0, LIST_MAX).join(' => ')}`,
    isSegmented ? 'cut into segments, which stand for themselves' : '',
    endText(path),
    path.losses.length === 0
      ? ''
      : `incomplete: ${path.losses
          .slice(0, LIST_MAX)
          .map((loss) => lossText(loss, path.lives))
          .join(', ')}`,
  ]
    .filter((part) => part !== '')
    .join('  ');
}

/** Distinct values in order of appearance, as one word. */
const list = (values: Iterable<string>): string =>
  [...new Set(values)]
    .filter((value) => value !== '')
    .slice(0, LIST_MAX)
    .map(encodeWord)
    .join(',');

function words(
  path: PacketPath,
  life: Life,
  calls: readonly { readonly call: Call }[],
  names: readonly string[],
): string {
  const end = endOf(path);
  const first = calls[0]?.call;
  const devices = calls.map(({ call }) => call.device);
  const pairs: readonly (readonly [key: string, value: string | number | undefined])[] = [
    ['id', path.id],
    ['trace', path.traceId],
    ['life', life.id],
    ['dur', `${path.durationNs}ns`],
    ['calls', calls.length],
    ['lives', path.lives.length],
    ['links', list(path.lives.map(({ parent }) => parent?.operation ?? ''))],
    ['dir', path.direction],
    ['host', path.origin === undefined ? undefined : encodeWord(path.origin.host)],
    ['netns', list(devices.map(({ netnsName }) => netnsName))],
    ['dev', list(devices.map(({ name }) => name))],
    ['task', first === undefined ? undefined : encodeWord(first.task.comm)],
    ['pid', first?.task.tgid],
    ['tid', first?.task.tid],
    ['mark', list(calls.map(({ call }) => (call.mark === 0 ? '' : `0x${call.mark.toString(16)}`)))],
    ['was', names.length === 0 ? '' : list(names)],
    ['ending', path.ending],
    ['outcome', path.outcome.kind],
    ['how', end?.how],
    ['reason', end?.reason === undefined ? undefined : encodeWord(end.reason)],
    ['loc', end === undefined ? undefined : encodeWord(locationText(end))],
    ['rule', end?.rule === undefined ? undefined : encodeWord(ruleText(end.rule))],
    ['program', end?.program === undefined ? undefined : encodeWord(end.program)],
    ['verdicts', list(calls.map(({ call }) => call.verdict ?? ''))],
    ['losses', path.losses.length === 0 ? undefined : path.losses.length],
  ];
  return (
    commentKind.path +
    pairs
      .filter(([, value]) => value !== undefined && value !== '')
      .map(([key, value]) => ` ${key}=${String(value)}`)
      .join('')
  );
}

function callLine(call: Call, life: Life, of: Life): string {
  const module = call.module === undefined ? '' : ` module=${encodeWord(call.module)}`;
  const lasts =
    call.timing === 'point'
      ? ''
      : call.durationNs === undefined
        ? ' unfinished'
        : ` dur=${call.durationNs}ns`;
  const who = life === of ? '' : ` life=${life.id}`;
  const verdict = call.verdict === undefined ? '' : ` verdict=${call.verdict}`;
  return `${'  '.repeat(Math.min(call.depth, 40))}${encodeWord(call.func)}${module}${verdict}${lasts} at=${call.offsetNs}ns${who}`;
}

function callLines(
  calls: readonly { readonly call: Call; readonly life: Life }[],
  of: Life,
): string {
  let text = 'calls';
  for (const [index, { call, life }] of calls.entries()) {
    const line = callLine(call, life, of);
    if (text.length + line.length > CALLS_CHARACTERS_MAX) {
      return `${text}\n... and ${counted(calls.length - index, 'call')} more`;
    }
    text += `\n${line}`;
  }
  return text;
}

/** The comments of the frame that shows `life` of `path`; `isSegmented`: it was replaced by its segments. */
export function pathComments(path: PacketPath, life: Life, isSegmented: boolean): string[] {
  const calls = callsInOrder(path);
  const names = renamings(path);
  const comments = [sentence(path, calls, names, isSegmented), words(path, life, calls, names)];
  if (calls.length > 0) comments.push(callLines(calls, life));
  return comments;
}
