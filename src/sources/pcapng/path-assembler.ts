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
import { packetData, type ReadPacket } from './blocks.ts';
import {
  createRecordReader,
  type LifeHead,
  type PathHead,
  readEnd,
  readLife,
  readLoss,
  readPath,
} from './read-records.ts';
import { readConntrack, readSocket } from './read-surroundings.ts';
import { parseWords, Unreadable } from './read-words.ts';

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

interface Indexed<Value> {
  readonly index: number;
  readonly value: Value;
}

interface LifeDraft {
  head: LifeHead | undefined;
  end: LifeEnd | undefined;
  readonly calls: Indexed<Call>[];
  readonly packets: Indexed<PacketSight>[];
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

  // Of the record at hand; the next one is mostly of the same path.
  let trace = '';
  let total = 0;
  let ending = '';

  /** Which path a record belongs to, and how many records that has; false: it does not say so, it is not ours. */
  function place(record: string): boolean {
    const at = record.lastIndexOf(' trace=');
    if (at < 0) return false;
    if (
      trace !== '' &&
      record.endsWith(ending) &&
      record.indexOf('/', at) === record.length - ending.length &&
      record.startsWith(trace, at + TRACE_AT) &&
      record.startsWith(' rec=', at + TRACE_AT + TRACE_DIGITS)
    ) {
      return true;
    }
    const match = placeForm.exec(record.slice(at));
    if (match === null) return false;
    trace = match[1] ?? '';
    total = Number(match[2]);
    ending = `/${total}`;
    return true;
  }

  function draftOf(): PathDraft {
    let draft = drafts.get(trace);
    if (draft === undefined) {
      draft = {
        total,
        seen: 0,
        bytes: 0,
        isBroken: false,
        head: undefined,
        losses: [],
        lives: new Map(),
      };
      drafts.set(trace, draft);
    }
    if (draft.total !== total) draft.isBroken = true;
    return draft;
  }

  function forget(trace: string, draft: PathDraft): void {
    drafts.delete(trace);
    waiting -= draft.bytes;
  }

  function read(draft: PathDraft, record: string, linkType: number, packet: ReadPacket): void {
    const words = parseWords(record);
    if (record.startsWith(`${commentKind.call} `)) {
      const call = reader.call(words);
      lifeOf(draft, call.life).calls.push(call);
    } else if (record.startsWith(`${commentKind.packet} `)) {
      const sight = reader.sight(words, linkType, packetData(packet));
      lifeOf(draft, sight.life).packets.push(sight);
    } else if (record.startsWith(`${commentKind.end} `)) {
      const end = readEnd(words);
      const life = lifeOf(draft, end.life);
      if (life.end !== undefined) throw new Unreadable('two ends');
      life.end = end.value;
    }
  }

  /** The comments behind the first: what is said once per path or life. */
  function readHeads(draft: PathDraft, comments: readonly string[]): void {
    for (const comment of comments) {
      if (comment.startsWith(`${commentKind.path} `)) draft.head = readPath(parseWords(comment));
      else if (comment.startsWith(`${commentKind.loss} `)) {
        draft.losses.push(readLoss(parseWords(comment)));
      } else if (comment.startsWith(`${commentKind.life} `)) {
        const head = readLife(parseWords(comment));
        lifeOf(draft, head.id).head = head;
      } else if (comment.startsWith(`${commentKind.socket} `)) {
        const { life, value } = readSocket(parseWords(comment));
        lifeOf(draft, life).sockets.push(value);
      } else if (comment.startsWith(`${commentKind.conntrack} `)) {
        const { life, value } = readConntrack(parseWords(comment));
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
      const { comments } = packet;
      const record = comments.find(isRecord);
      if (record === undefined || !place(record)) {
        foreign++;
        return undefined;
      }
      const draft = draftOf();
      draft.seen++;
      const bytes = RECORD_BYTES + packet.captured;
      draft.bytes += bytes;
      waiting += bytes;
      try {
        read(draft, record, linkType, packet);
        if (comments.length > 1) readHeads(draft, comments);
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
      waiting = 0;
    },
  };
}

/** The comment that says what the record is; calls come first, since most are. */
const isRecord = (comment: string): boolean =>
  comment.startsWith('call ') || /^(?:packet|end|begin) /.test(comment);
const placeForm = /^ trace=([0-9a-f]{32}) rec=\d{1,9}\/(\d{1,9})(?: |$)/;
const TRACE_AT = ' trace='.length;
const TRACE_DIGITS = 32;

function lifeOf(draft: PathDraft, id: number): LifeDraft {
  let life = draft.lives.get(id);
  if (life === undefined) {
    life = {
      head: undefined,
      end: undefined,
      calls: [],
      packets: [],
      sockets: [],
      conntracks: [],
    };
    draft.lives.set(id, life);
  }
  return life;
}

/** The values by their indexes; undefined unless they are 0 to `count` - 1, each once. */
function inOrder<Value>(found: Indexed<Value>[], count: number): Value[] | undefined {
  if (found.length !== count) return undefined;
  if (found.some(({ index }, at) => index !== at)) found.sort((a, b) => a.index - b.index);
  return found.every(({ index }, at) => index === at) ? found.map(({ value }) => value) : undefined;
}

function build(
  traceId: string,
  { head, losses, lives, isBroken }: PathDraft,
): PacketPath | undefined {
  if (isBroken || head === undefined || head.losses !== losses.length) return undefined;
  const built: Indexed<BareLife>[] = [];
  for (const { head: lifeHead, end, calls, packets, sockets, conntracks } of lives.values()) {
    if (lifeHead === undefined) return undefined;
    if (sockets.length !== lifeHead.sockets || conntracks.length !== lifeHead.conntracks)
      return undefined;
    const { index, id, skb, parent, offsetNs } = lifeHead;
    const ownCalls = inOrder(calls, lifeHead.calls);
    const ownPackets = inOrder(packets, lifeHead.packets);
    if (ownCalls === undefined || ownPackets === undefined) return undefined;
    built.push({
      index,
      value: {
        id,
        skb,
        parent,
        offsetNs,
        calls: ownCalls,
        packets: ownPackets,
        end,
        sockets,
        conntracks,
      },
    });
  }
  const ordered = inOrder(built, head.lives);
  if (ordered === undefined || ordered.length === 0 || !areReferencesGood(ordered))
    return undefined;
  return withStory({ ...head, traceId, lives: ordered, losses });
}

/** Exporters follow these without looking. */
function areReferencesGood(lives: readonly BareLife[]): boolean {
  return lives.every(({ parent, calls }, index) => {
    if (parent !== undefined) {
      const from = lives[parent.life];
      // A parent stands before its children.
      if (from === undefined || parent.life >= index) return false;
      if (parent.call < -1 || parent.call >= from.calls.length) return false;
    }
    return calls.every(
      (call) =>
        call.packet >= -1 &&
        (call.parent === undefined ||
          lives[call.parent.life]?.calls[call.parent.call] !== undefined),
    );
  });
}
