/**
 * From a batch of raw records to PacketPath objects, on the main thread: names, addresses, nesting, losses. Keeps what the
 * kernel told about tasks and devices from batch to batch, and nothing else.
 */

import { eventKind } from '../event/layout.ts';
import type { Call, CodeLocation, Flow, PacketPath } from '../event/packet-path.ts';
import { readBatch, type RawPath } from './batch.ts';
import { buildLife } from './build-life.ts';
import { createContextTable, type ContextTable, type Owner } from './context-table.ts';
import { headerWord, kindOf } from './decode.ts';
import { directionOf } from './direction.ts';
import { orderLives, parentOf } from './life-order.ts';
import { findLosses } from './losses.ts';
import { nest } from './nesting.ts';
import type { DetailReader } from './read-detail.ts';
import { sortRecords, type PathDraft } from './path-records.ts';
import { withStory, type BarePath } from '../event/story.ts';

/** What a probe is attached to. */
export type ProbeName = Pick<Call, 'func' | 'module' | 'kind'>;

/** Names for numbers; all of them total. */
export interface Symbols {
  /** By the probe id of an enter record. */
  probe(id: number): ProbeName;
  location(address: bigint): CodeLocation;
  dropReason(code: number): string;
  /** By inode number, not 0. */
  netnsName(inode: number): string;
  /** By cgroup id; `tgid` (0: not known) where that does not tell, on a host with cgroup v1. */
  owner(cgroup: bigint, tgid: number): Owner;
}

export interface PathBuilderOptions {
  readonly symbols: Symbols;
  /** 8 bytes, different for every run on every host: the first half of all trace ids. */
  readonly runId: Uint8Array;
  /** For the details that were asked for; undefined: none were. */
  readonly details?: DetailReader | undefined;
}

export interface BuiltBatch {
  readonly paths: PacketPath[];
  /** Records, or whole sections of the batch, that made no sense. */
  readonly undecodable: number;
  /** Exits without a call in their path. */
  readonly orphanExits: number;
}

export interface PathBuilder {
  /** Total: any bytes may be given. The paths refer to the bytes of the batch, which must not change afterwards. */
  build(batch: ArrayBuffer): BuiltBatch;
}

export function createPathBuilder({ symbols, runId, details }: PathBuilderOptions): PathBuilder {
  const context = createContextTable({
    netnsName: (inode) => symbols.netnsName(inode),
    owner: (cgroup, tgid) => symbols.owner(cgroup, tgid),
  });
  const traceIdPrefix = Buffer.from(runId).toString('hex');

  return {
    build(batch) {
      const paths: PacketPath[] = [];
      let orphanExits = 0;
      let epochOffsetNs = 0n;
      const undecodable = readBatch(batch, {
        begin(offsetNs) {
          epochOffsetNs = offsetNs;
        },
        context(words, at) {
          if (kindOf(words[at + headerWord.packed] ?? 0) === eventKind.task)
            context.setTask(words, at);
          else context.setDevice(words, at);
        },
        path(raw) {
          const draft = sortRecords(raw);
          orphanExits += draft.orphanExits;
          if (draft.lives.size > 0)
            paths.push(
              buildPath(raw, draft, { symbols, context, details, traceIdPrefix, epochOffsetNs }),
            );
        },
      });
      return { paths, undecodable, orphanExits };
    },
  };
}

interface Surroundings {
  readonly symbols: Symbols;
  readonly context: ContextTable;
  readonly details: DetailReader | undefined;
  readonly traceIdPrefix: string;
  readonly epochOffsetNs: bigint;
}

function buildPath(raw: RawPath, draft: PathDraft, around: Surroundings): PacketPath {
  const { words } = raw;
  const { startNs, offsetAt } = draft;
  const drafts = orderLives(words, draft.lives, raw.root);
  nest(draft.calls);
  const { context, symbols, details } = around;
  const surroundings = { words, offsetAt, context, symbols, details };
  const lives = drafts.map((life) =>
    buildLife(life, parentOf(words, life, draft.lives), surroundings),
  );
  const id = drafts[0]?.id ?? raw.root;
  const root = lives[0];
  return withStory({
    id,
    traceId: around.traceIdPrefix + id.toString(16).padStart(16, '0'),
    startTimeNs: startNs + around.epochOffsetNs,
    durationNs: draft.duration,
    lives,
    ending: raw.ending,
    losses: findLosses(raw, drafts, (life) => draft.lives.has(life)),
    flow: firstFlow(lives),
    direction: root === undefined ? 'unknown' : directionOf(root),
  });
}

/**
 * What the packet is called: the first headers that say so in full. A packet made here is seen before its headers are
 * filled in, when it has no addresses or ports yet.
 */
function firstFlow(lives: BarePath['lives']): PacketPath['flow'] {
  let best: PacketPath['flow'];
  for (const life of lives) {
    for (const { flow } of life.packets) {
      if (flow === undefined) continue;
      if (isFilledIn(flow)) return flow;
      if (best === undefined || best.sourceAddress === '') best = flow;
    }
  }
  return best;
}

const isFilledIn = (flow: Flow): boolean =>
  flow.sourceAddress !== '' && (flow.sourcePort !== 0 || flow.destinationPort !== 0);
