/** The JSON form of a life: its end, its packets, and what its calls tell besides; see records.ts. */
import type { FilterRule, Life, LifeEnd } from '../../event/packet-path.ts';
import { put, putList, putNull, type JsonBytes, type Write } from './bytes.ts';
import { putCalls } from './call-record.ts';
import { putName, putNameOrNull } from './names.ts';
import { putHex, putNumber, putNumberOrNull } from './numbers.ts';
import { members, moreMembers, piece, type Piece } from './pieces.ts';
import { putSight } from './sight-record.ts';
import { putChange, putConntrack, putCrossing, putSocket, putWait } from './story-records.ts';
import { DONE, putLocation } from './values.ts';

const ofRule = members('family', 'table', 'chain', 'handle');

function putRule(out: JsonBytes, rule: FilterRule): void {
  put(out, ofRule.family);
  putName(out, rule.family);
  put(out, ofRule.table);
  putName(out, rule.table);
  put(out, ofRule.chain);
  putName(out, rule.chain);
  put(out, ofRule.handle);
  putNumber(out, rule.handle);
  put(out, DONE);
}

const ofEnd = members('offset_ns', 'how', 'reason', 'reason_code', 'location', 'program', 'rule');

function putEnd(out: JsonBytes, end: LifeEnd | undefined): void {
  if (end === undefined) {
    putNull(out);
    return;
  }
  put(out, ofEnd.offset_ns);
  putNumber(out, end.offsetNs);
  put(out, ofEnd.how);
  putName(out, end.how);
  put(out, ofEnd.reason);
  putNameOrNull(out, end.reason);
  put(out, ofEnd.reason_code);
  putNumberOrNull(out, end.reasonCode);
  put(out, ofEnd.location);
  putLocation(out, end.location);
  put(out, ofEnd.program);
  putNameOrNull(out, end.program);
  put(out, ofEnd.rule);
  if (end.rule === undefined) putNull(out);
  else putRule(out, end.rule);
  put(out, DONE);
}

const ofLink = members('life', 'call', 'operation');

function putLink(out: JsonBytes, link: Life['parent']): void {
  if (link === undefined) {
    putNull(out);
    return;
  }
  put(out, ofLink.life);
  putNumber(out, link.life);
  put(out, ofLink.call);
  putNumber(out, link.call);
  put(out, ofLink.operation);
  putName(out, link.operation);
  put(out, DONE);
}

const ofLife = members(
  'id',
  'skb',
  'parent',
  'merged_into',
  'offset_ns',
  'end',
  'calls',
  'packets',
);
const NO_LINKS = piece(',"parent":null,"merged_into":null');

const listsOf = moreMembers('sockets', 'conntracks', 'waits', 'crossings', 'changes');
const emptyList = (name: keyof typeof listsOf): Piece => piece(`,"${name}":[]`);
const empty = {
  sockets: emptyList('sockets'),
  conntracks: emptyList('conntracks'),
  waits: emptyList('waits'),
  crossings: emptyList('crossings'),
  changes: emptyList('changes'),
} as const;

/** A list that is empty mostly. */
function putMore<T>(
  out: JsonBytes,
  name: keyof typeof empty,
  all: readonly T[],
  write: Write<T>,
): void {
  if (all.length === 0) {
    put(out, empty[name]);
    return;
  }
  put(out, listsOf[name]);
  putList(out, all, write);
}

export function putLife(out: JsonBytes, life: Life): void {
  put(out, ofLife.id);
  putNumber(out, life.id);
  put(out, ofLife.skb);
  putHex(out, life.skb);
  if (life.parent === undefined && life.mergedInto === undefined) put(out, NO_LINKS);
  else {
    put(out, ofLife.parent);
    putLink(out, life.parent);
    put(out, ofLife.merged_into);
    putLink(out, life.mergedInto);
  }
  put(out, ofLife.offset_ns);
  putNumber(out, life.offsetNs);
  put(out, ofLife.end);
  putEnd(out, life.end);
  put(out, ofLife.calls);
  putCalls(out, life.calls);
  put(out, ofLife.packets);
  putList(out, life.packets, putSight);
  putMore(out, 'sockets', life.sockets, putSocket);
  putMore(out, 'conntracks', life.conntracks, putConntrack);
  putMore(out, 'waits', life.waits, putWait);
  putMore(out, 'crossings', life.crossings, putCrossing);
  putMore(out, 'changes', life.changes, putChange);
  put(out, DONE);
}
