/*
 * The functions that were found, kept from one run to the next (answers.ts), with where they are: a build decides how far a function
 * is from where its text begins (text-starts.ts), so that distance is kept. Whoever attaches by name has not looked the places up:
 * that is done when tracing has begun and nobody waits, for the next run. A search by name takes the kernel a walk over all of
 * its symbols for every link.
 */
import { type Answers, answers } from '../kernel/answers.ts';
import type { Given } from '../kernel/btf-functions.ts';
import { findKernelFunctions } from '../kernel/kallsyms.ts';
import { readTextStarts } from '../kernel/text-starts.ts';
import type { ProbeRole } from './roles.ts';

/** A kernel function that can be probed. */
export interface Candidate {
  readonly name: string;
  /** undefined: vmlinux. */
  readonly module: string | undefined;
  /** undefined: the kernel is to look the name up. */
  readonly address: bigint | undefined;
  /** 1..5; 0: it takes none (an allocator, or about XDP frames). */
  readonly skbArg: number;
  readonly sockArg: number;
  /** It takes no skb and is watched for what runs inside of calls that do; undefined: it takes one. */
  readonly inner?: ProbeRole | undefined;
  /** `skbArg` is not the skb, but leads to it, or to several. */
  readonly given?: Given;
  /** Its skb is a netlink message, never a packet. */
  readonly isMessage?: true;
}

export interface Candidates {
  readonly candidates: readonly Candidate[];
  /** Functions with an skb that cannot be probed, and why. */
  readonly refused: readonly { readonly name: string; readonly reason: string }[];
}

/** JSON. */
interface Kept {
  readonly candidates: readonly Omit<Candidate, 'address'>[];
  readonly refused: Candidates['refused'];
  /** Of each candidate, bytes from where its text begins; null: not known. None: not looked up yet. */
  readonly distances?: readonly (number | null)[];
}

export interface KeptCandidates {
  /** undefined: not kept, or not enough of it. `byName`: addresses are good to have, no more. */
  recall(question: string, byName: boolean): Candidates | undefined;
  remember(question: string, found: Candidates): void;
  /** Keeps what the kernel has answered for the next run. To be called when nobody waits any more. Never fails. */
  keep(): Promise<void>;
}

type Addresses = readonly (bigint | undefined)[];

/** Where the functions are by kallsyms; undefined where a name stands for several, or for none. */
async function lookUp(candidates: Kept['candidates']): Promise<Addresses> {
  const found = await findKernelFunctions(new Set(candidates.map(({ name }) => name)));
  return candidates.map(({ name, module }) => {
    const places = found.get(name)?.filter((place) => place.module === module) ?? [];
    return places.length === 1 ? places[0]?.address : undefined;
  });
}

function distancesOf(candidates: Kept['candidates'], addresses: Addresses): (number | null)[] {
  const starts = readTextStarts();
  return candidates.map(({ module }, index) => {
    const start = starts?.get(module);
    const address = addresses[index];
    return start === undefined || address === undefined ? null : Number(address - start);
  });
}

export function createKeptCandidates(answers: Answers): KeptCandidates {
  /** What was found, but not where that is. */
  let unplaced: { readonly question: string; readonly kept: Kept } | undefined;
  return {
    recall(question, byName) {
      const kept = answers.recall(question) as Kept | undefined;
      if (kept === undefined) return undefined;
      const { candidates, refused, distances } = kept;
      const starts = distances && readTextStarts();
      if (starts === undefined && !byName) return undefined;
      if (distances === undefined) unplaced = { question, kept };
      const place = (module: string | undefined, index: number): bigint | undefined => {
        const distance = distances?.[index] ?? null;
        const start = starts?.get(module);
        return distance === null || start === undefined ? undefined : start + BigInt(distance);
      };
      return {
        refused,
        candidates: candidates.map((one, index) => ({
          ...one,
          module: one.module,
          address: place(one.module, index),
        })),
      };
    },
    remember(question, { candidates, refused }) {
      if (!answers.areKept) return;
      const kept: Kept = {
        refused,
        candidates: candidates.map((one) => ({ ...one, address: undefined })),
      };
      const addresses = candidates.map(({ address }) => address);
      const areKnown = !addresses.includes(undefined);
      if (!areKnown) unplaced = { question, kept };
      const distances = areKnown ? { distances: distancesOf(candidates, addresses) } : {};
      answers.remember(question, { ...kept, ...distances });
    },
    async keep() {
      answers.keep();
      if (unplaced === undefined) return;
      const { question, kept } = unplaced;
      unplaced = undefined;
      try {
        const distances = distancesOf(kept.candidates, await lookUp(kept.candidates));
        answers.remember(question, { ...kept, distances });
        answers.keep();
      } catch {
        // Then the next run does without as well.
      }
    },
  };
}

/** Of the running kernel. */
export const keptCandidates = createKeptCandidates(answers);
