/**
 * Puts the records of a recording together to packet paths. A path is whole when as many records have come as each of them
 * says there are; then everything must fit: each life announced, its calls and sights all there, each reference to
 * something that exists. What does not fit is counted, never guessed.
 *
 * Records of one path usually follow each other, so that one path is in memory at a time. Files that other tools have
 * sorted by time are read, too, as long as what waits stays below a bound; beyond it the oldest is given up.
 */
import type {
  Call,
  ConntrackSight,
  LifeEnd,
  PacketPath,
  PacketSight,
  PathLoss,
  SocketSight,
} from '../../event/packet-path.ts';
import { withStory, type BareLife } from '../../event/story.ts';
import { commentKind } from '../../exporters/pcapng/words.ts';
import type { ReadPacket } from './blocks.ts';
import { isSame } from './byte-cache.ts';
import { createNumbered, type Numbered } from './numbered.ts';
import {
  type Belonging,
  createRecordReader,
  type LifeHead,
  type PathHead,
  readEnd,
  readLife,
  readLoss,
  readPath,
} from './read-records.ts';
import { readConntrack, readSocket } from './read-surroundings.ts';
import { createWords, Unreadable } from './read-words.ts';

export interface PathAssembler {
  /** One packet of the file; returns the path that it made whole. */
  add(packet: ReadPacket, linkType: number): PacketPath | undefined;
  /** Gives up what waits. */
  end(): void;
  /** Paths that could not be put together. */
  readonly broken: number;
  /** Packets without a comment of ours: not from skbspan, or it was taken away. */
  readonly foreign: number;
}

interface LifeDraft {
  head: LifeHead | undefined;
  end: LifeEnd | undefined;
  readonly calls: Numbered<Call>;
  readonly packets: Numbered<PacketSight>;
  readonly sockets: SocketSight[];
  readonly conntracks: ConntrackSight[];
}

interface PathDraft {
  readonly total: number;
  seen: number;
  bytes: number;
  isBroken: boolean;
  head: PathHead | undefined;
  readonly losses: PathLoss[];
  /** By id. */
  readonly lives: Map<number, LifeDraft>;
  /** The one that was asked for last, by its id. */
  lastLife: number;
  last: LifeDraft | undefined;
}

const WAITING_BYTES_MAX = 256 * 1024 * 1024;
/** What a record takes in memory beyond its text, roughly. */
const RECORD_BYTES = 300;

export function createPathAssembler(): PathAssembler {
  const reader = createRecordReader();
  const drafts = new Map<string, PathDraft>();
  let waiting = 0;
  let broken = 0;
  let foreign = 0;

  const words = createWords();
  const belonging: Belonging = { index: 0, life: 0 };

  // Of the record at hand; the next one is mostly of the same path.
  let trace = '';
  let total = 0;
  /** ` trace=... rec=` and `/19` */
  let before: Uint8Array = new Uint8Array();
  let behind: Uint8Array = new Uint8Array();
  let current: PathDraft | undefined;

  /** Which path a record belongs to, and how many records that has; false: it does not say so, it is not ours. */
  function place(bytes: Buffer, from: number, to: number): boolean {
    if (isPlaceOfBefore(bytes, from, to)) return true;
    const record = bytes.toString('utf8', from, to);
    const match = placeForm.exec(record.slice(Math.max(0, record.lastIndexOf(' trace='))));
    if (match === null) return false;
    trace = match[1] ?? '';
    total = Number(match[2]);
    before = Uint8Array.from(Buffer.from(` trace=${trace} rec=`));
    behind = Uint8Array.from(Buffer.from(`/${total}`));
    current = undefined;
    return true;
  }

  /** Whether it ends in ` trace=... rec=1/19` as the record before did, but for the digits before the slash. */
  function isPlaceOfBefore(bytes: Buffer, from: number, to: number): boolean {
    const slash = to - behind.length;
    if (trace === '' || slash < from || !isSame(behind, bytes, slash, to)) return false;
    let at = slash;
    while (at > from && slash - at < NUMBER_DIGITS && isDigit(bytes[at - 1] ?? 0)) at--;
    const start = at - before.length;
    return at < slash && start > from && isSame(before, bytes, start, at);
  }

  function draftOf(): PathDraft {
    current ??= drafts.get(trace);
    if (current === undefined) {
      current = {
        total,
        seen: 0,
        bytes: 0,
        isBroken: false,
        head: undefined,
        losses: [],
        lives: new Map(),
        lastLife: -1,
        last: undefined,
      };
      drafts.set(trace, current);
    }
    if (current.total !== total) current.isBroken = true;
    return current;
  }

  function forget(trace: string, draft: PathDraft): void {
    drafts.delete(trace);
    waiting -= draft.bytes;
    if (draft === current) current = undefined;
  }

  /** The record of a packet, which is its comment from `from` to `to`. */
  function read(
    draft: PathDraft,
    kind: Kind,
    packet: ReadPacket,
    from: number,
    to: number,
    linkType: number,
  ): void {
    const { bytes } = packet;
    words.read(bytes, from + kind.length - 1, to);
    if (kind === kinds.call) {
      const call = reader.call(words, belonging);
      lifeOf(draft, belonging.life).calls.add(belonging.index, call);
    } else if (kind === kinds.packet) {
      const data = bytes.subarray(packet.dataAt, packet.dataAt + packet.captured);
      const sight = reader.sight(words, linkType, data, belonging);
      lifeOf(draft, belonging.life).packets.add(belonging.index, sight);
    } else if (kind === kinds.end) {
      const end = readEnd(words);
      const life = lifeOf(draft, end.life);
      if (life.end !== undefined) throw new Unreadable('two ends');
      life.end = end.value;
    }
  }

  /** The comments beside the record: what is said once per path or life. */
  function readHeads(draft: PathDraft, { bytes, spans }: ReadPacket): void {
    for (let at = 0; at < spans.length; at += 2) {
      const [from = 0, to = 0] = [spans[at], spans[at + 1]];
      const kind = kindOf(headKinds, bytes, from, to);
      if (kind === undefined) continue;
      words.read(bytes, from + kind.length - 1, to);
      if (kind === kinds.path) draft.head = readPath(words);
      else if (kind === kinds.loss) draft.losses.push(readLoss(words));
      else if (kind === kinds.life) {
        const head = readLife(words);
        lifeOf(draft, head.id).head = head;
      } else if (kind === kinds.socket) {
        const { life, value } = readSocket(words);
        lifeOf(draft, life).sockets.push(value);
      } else if (kind === kinds.conntrack) {
        const { life, value } = readConntrack(words);
        lifeOf(draft, life).conntracks.push(value);
      }
    }
  }

  function giveUpOldest(): void {
    for (const [trace, draft] of drafts) {
      if (waiting <= WAITING_BYTES_MAX) return;
      forget(trace, draft);
      broken++;
    }
  }

  return {
    get broken() {
      return broken;
    },
    get foreign() {
      return foreign;
    },
    add(packet, linkType) {
      const { bytes, spans } = packet;
      let kind: Kind | undefined;
      let from = 0;
      let to = 0;
      for (let at = 0; at < spans.length && kind === undefined; at += 2) {
        from = spans[at] ?? 0;
        to = spans[at + 1] ?? 0;
        kind = kindOf(recordKinds, bytes, from, to);
      }
      if (kind === undefined || !place(bytes, from, to)) {
        foreign++;
        return undefined;
      }
      const draft = draftOf();
      draft.seen++;
      const weight = RECORD_BYTES + packet.captured;
      draft.bytes += weight;
      waiting += weight;
      try {
        read(draft, kind, packet, from, to, linkType);
        if (spans.length > 2) readHeads(draft, packet);
      } catch (error) {
        if (!(error instanceof Unreadable)) throw error;
        draft.isBroken = true;
      }
      if (draft.seen < draft.total) {
        if (waiting > WAITING_BYTES_MAX) giveUpOldest();
        return undefined;
      }
      forget(trace, draft);
      const path = build(trace, draft);
      if (path === undefined) broken++;
      return path;
    },
    end() {
      broken += drafts.size;
      drafts.clear();
      current = undefined;
      waiting = 0;
    },
  };
}

/** The first word of a comment, and the space behind it. */
type Kind = Uint8Array;
const kindBytes = (word: string): Kind => Uint8Array.from(Buffer.from(`${word} `));
const kinds = {
  call: kindBytes(commentKind.call),
  packet: kindBytes(commentKind.packet),
  end: kindBytes(commentKind.end),
  begin: kindBytes('begin'),
  path: kindBytes(commentKind.path),
  loss: kindBytes(commentKind.loss),
  life: kindBytes(commentKind.life),
  socket: kindBytes(commentKind.socket),
  conntrack: kindBytes(commentKind.conntrack),
};
/** The comment that says what the record is; calls come first, since most are. */
const recordKinds = [kinds.call, kinds.packet, kinds.end, kinds.begin];
const headKinds = [kinds.path, kinds.life, kinds.loss, kinds.socket, kinds.conntrack];

function kindOf(among: readonly Kind[], bytes: Buffer, from: number, to: number): Kind | undefined {
  for (const kind of among) {
    if (from + kind.length <= to && isSame(kind, bytes, from, from + kind.length)) return kind;
  }
  return undefined;
}

const NUMBER_DIGITS = 9;
const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;
const placeForm = /^ trace=([0-9a-f]{32}) rec=\d{1,9}\/(\d{1,9})(?: |$)/;

function lifeOf(draft: PathDraft, id: number): LifeDraft {
  if (draft.lastLife === id && draft.last !== undefined) return draft.last;
  let life = draft.lives.get(id);
  if (life === undefined) {
    life = {
      head: undefined,
      end: undefined,
      calls: createNumbered(),
      packets: createNumbered(),
      sockets: [],
      conntracks: [],
    };
    draft.lives.set(id, life);
  }
  draft.lastLife = id;
  draft.last = life;
  return life;
}

function build(
  traceId: string,
  { head, losses, lives, isBroken }: PathDraft,
): PacketPath | undefined {
  if (isBroken || head === undefined || head.losses !== losses.length) return undefined;
  const built = createNumbered<BareLife>();
  for (const { head: lifeHead, end, calls, packets, sockets, conntracks } of lives.values()) {
    if (lifeHead === undefined) return undefined;
    if (sockets.length !== lifeHead.sockets || conntracks.length !== lifeHead.conntracks)
      return undefined;
    const { index, id, skb, parent, mergedInto, offsetNs } = lifeHead;
    const ownCalls = calls.inOrder(lifeHead.calls);
    const ownPackets = packets.inOrder(lifeHead.packets);
    if (ownCalls === undefined || ownPackets === undefined) return undefined;
    built.add(index, {
      id,
      skb,
      parent,
      mergedInto,
      offsetNs,
      calls: ownCalls,
      packets: ownPackets,
      end,
      sockets,
      conntracks,
    });
  }
  const ordered = built.inOrder(head.lives);
  if (ordered === undefined || ordered.length === 0 || !areReferencesGood(ordered))
    return undefined;
  return withStory({ ...head, traceId, lives: ordered, losses });
}

/** Exporters follow these without looking. */
function areReferencesGood(lives: readonly BareLife[]): boolean {
  return lives.every(({ parent, mergedInto, calls }, index) => {
    if (parent !== undefined) {
      const from = lives[parent.life];
      // A parent stands before its children.
      if (from === undefined || parent.life >= index) return false;
      if (parent.call < -1 || parent.call >= from.calls.length) return false;
    }
    if (mergedInto !== undefined) {
      if (lives[mergedInto.life] === undefined || mergedInto.life === index) return false;
      if (mergedInto.call < -1 || mergedInto.call >= calls.length) return false;
    }
    return calls.every(
      (call) =>
        call.packet >= -1 &&
        (call.parent === undefined ||
          lives[call.parent.life]?.calls[call.parent.call] !== undefined),
    );
  });
}
