import type { Call, HeaderChange, PacketPath, WaitPlace } from '../../event/packet-path.ts';
import { arrange, type Item, type Node } from './arrange.ts';
import { detailLines } from './detail.ts';
import { duration, flowAddresses, functionName, offsetWriter, place, taskName } from './format.ts';
import { packetLength, headLines } from './head.ts';
import { endText, ruleText } from './outcome.ts';
import type { Paint, Tone } from './paint.ts';

interface Row {
  readonly offset: string;
  /** From the outermost level inwards: are there more siblings below? Empty at the top. */
  readonly trail: readonly boolean[];
  readonly label: string;
  readonly duration: string;
  readonly note: string;
  readonly tone: Tone;
  /** Stands below its call and is no branch of its own; as long as it is. */
  readonly isDetail?: boolean;
}

interface Branches {
  readonly more: string;
  readonly last: string;
  readonly pass: string;
  readonly none: string;
}

/** Widest first: deep paths on a narrow terminal are drawn closer. */
const branchStyles: readonly Branches[] = [
  { more: '├─ ', last: '└─ ', pass: '│  ', none: '   ' },
  { more: '├ ', last: '└ ', pass: '│ ', none: '  ' },
  { more: '├', last: '└', pass: '│', none: ' ' },
];

const durations: Readonly<Record<Call['timing'], (call: Call) => string>> = {
  exit: (call) => duration(call.durationNs ?? 0),
  'enter-only': (call) => `~${duration(call.durationNs ?? 0)}`,
  point: () => '',
  unfinished: () => 'unfinished',
};

const waitWords: Readonly<Record<WaitPlace, string>> = {
  qdisc: 'in the queue',
  backlog: 'in the backlog',
  socket: "in the socket's queue",
  driver: 'in the driver',
  neighbour: "for the neighbour's address",
  gro: 'in GRO',
  ack: 'until acknowledged',
};

/** `encapsulated by vxlan_xmit: vxlan 42`. */
function changeText(change: HeaderChange | undefined, by: Call | undefined): string {
  if (change === undefined) return '';
  const { kind, tunnel } = change;
  const what =
    tunnel === undefined ? '' : ` ${tunnel.kind}${tunnel.id === undefined ? '' : ` ${tunnel.id}`}`;
  return `${kind}${what}${by === undefined ? '' : ` after ${functionName(by.func, by.module)}`}`;
}

/** Tells where a call ran, but only what is not as it was on the line before. */
function createPlaceNotes(path: PacketPath): (call: Call) => string {
  let known = ['', '', '', `${packetLength(path)} B`, 'mark 0x0'];
  return (call) => {
    const now = [
      place(call.device),
      `cpu${call.cpu}`,
      taskName(call.task),
      `${call.len} B`,
      `mark 0x${call.mark.toString(16)}`,
    ];
    const changed = now.filter((text, index) => text !== '' && text !== known[index]);
    known = now;
    return changed.join('  ');
  };
}

const verdictText = ({ verdict }: Call): string => (verdict === undefined ? '' : ` → ${verdict}`);
const detailRow = { offset: '', duration: '', note: '', tone: 'faint', isDetail: true } as const;

function rowParts(
  item: Item,
  note: (call: Call) => string,
): Pick<Row, 'label' | 'duration' | 'note' | 'tone'> {
  const bare = { duration: '', note: '' };
  switch (item.kind) {
    case 'call': {
      const { call } = item;
      return {
        label: `${functionName(call.func, call.module)}${verdictText(call)}`,
        duration: durations[call.timing](call),
        note: note(call),
        tone: call.timing === 'unfinished' ? 'loss' : 'plain',
      };
    }
    case 'life': {
      const { id, parent, end } = item.life;
      const maker = (parent?.call ?? -1) < 0 ? ', the call that made it was not seen' : '';
      const alive = end === undefined ? ', still alive' : '';
      return {
        ...bare,
        label: `${parent?.operation ?? 'life'} #${id}${maker}${alive}`,
        tone: 'life',
      };
    }
    case 'headers': {
      const now = item.sight.flow === undefined ? '' : flowAddresses(item.sight.flow);
      return {
        ...bare,
        label: `now ${now}`,
        note: changeText(item.change, item.by),
        tone: 'headers',
      };
    }
    case 'end': {
      const { end } = item.life;
      const tone = end?.how === 'dropped' ? 'drop' : 'faint';
      const note = end?.rule === undefined ? '' : `by ${ruleText(end.rule)}`;
      return { ...bare, label: end === undefined ? '' : endText(end), note, tone };
    }
    case 'wait': {
      const { place: where, durationNs, device } = item.wait;
      const label = `· ${duration(durationNs)} ${waitWords[where]}`;
      return { ...bare, label, note: where === 'ack' ? '' : place(device), tone: 'headers' };
    }
    case 'gap': {
      const where = item.inside === undefined ? 'waiting' : 'in no traced call';
      return { ...bare, label: `· ${duration(item.durationNs)} ${where}`, tone: 'faint' };
    }
  }
}

function branches(row: Row, style: Branches): string {
  return row.trail
    .map((more, level) => {
      const here =
        level === row.trail.length - 1 && !row.label.startsWith('·') && row.isDetail !== true;
      return here ? (more ? style.more : style.last) : more ? style.pass : style.none;
    })
    .join('');
}

const widest = (rows: readonly Row[], width: (row: Row) => number): number =>
  rows.reduce((most, row) => Math.max(most, width(row)), 0);

/** Columns of the finished row: margin, offset, tree, duration, note, with two spaces between them. */
function pickStyle(
  rows: readonly Row[],
  columns: number,
  others: number,
): { readonly style: Branches; readonly treeWidth: number } {
  let picked = { style: branchStyles[0] as Branches, treeWidth: 0 };
  for (const style of branchStyles) {
    const treeWidth = widest(rows, (row) =>
      row.isDetail === true ? 0 : branches(row, style).length + row.label.length,
    );
    picked = { style, treeWidth };
    const note = widest(rows, (row) => (row.note === '' ? 0 : row.note.length + 2));
    if (others + treeWidth + note <= columns) break;
  }
  return picked;
}

/** The lines of one path, without line ends: its head, then one line per call, clone, end and gap. */
export function treeLines(path: PacketPath, paint: Paint, columns: number): string[] {
  const rows: Row[] = [];
  const writeOffset = offsetWriter(path.durationNs);
  const note = createPlaceNotes(path);
  const walk = (nodes: readonly Node[], trail: readonly boolean[], top: boolean): void => {
    for (const [index, { item, offsetNs, children }] of nodes.entries()) {
      const here = top ? [] : [...trail, index < nodes.length - 1];
      const isPause = item.kind === 'gap' || item.kind === 'wait';
      const offset = isPause ? '' : writeOffset(offsetNs);
      rows.push({ offset, trail: here, ...rowParts(item, note) });
      if (item.kind === 'call' && item.call.detail !== undefined) {
        const below = [...here, children.length > 0];
        for (const label of detailLines(item.call.detail)) {
          rows.push({ ...detailRow, trail: below, label });
        }
      }
      walk(children, here, false);
    }
  };
  walk(arrange(path), [], true);

  const offsetWidth = widest(rows, (row) => row.offset.length);
  const durationWidth = widest(rows, (row) => row.duration.length);
  const { style, treeWidth } = pickStyle(rows, columns, 4 + offsetWidth + 2 + 2 + durationWidth);
  const body = rows.map((row) => {
    const tree = branches(row, style);
    const gap = row.isDetail === true ? '' : ' '.repeat(treeWidth - tree.length - row.label.length);
    const cells = [
      `    ${paint('faint', row.offset.padStart(offsetWidth))}`,
      `${paint('faint', tree)}${paint(row.tone, row.label)}${gap}`,
      row.duration.padStart(durationWidth),
      paint('faint', row.note),
    ];
    return cells.join('  ').trimEnd();
  });
  return [...headLines(path, paint), ...body];
}
