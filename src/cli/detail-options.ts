/** The options that say what is told of each call besides, and which functions without an skb are watched. */
import type { Command } from 'commander';
import { metadataMost } from '../event/call-detail.ts';
import { createOptionCheck } from './option-check.ts';

/** What commander found, unchecked. */
export interface DetailFlags {
  readonly outputCaller?: boolean;
  readonly outputStack?: boolean;
  readonly outputTunnel?: boolean;
  readonly outputSkb?: boolean;
  readonly outputSkbSharedInfo?: boolean;
  readonly outputSkbCb?: boolean;
  readonly outputSkbMetadata?: string;
  readonly outputBpfmap?: boolean;
  readonly filterNonSkbFuncs?: string;
}

export interface DetailOptions {
  readonly caller: boolean;
  readonly stack: boolean;
  readonly tunnel: boolean;
  readonly skb: boolean;
  readonly sharedInfo: boolean;
  readonly controlBlock: boolean;
  readonly maps: boolean;
  /** Expressions over the skb. */
  readonly metadata: readonly string[] | undefined;
  /** Names of functions that take no skb. */
  readonly innerFunctions: readonly string[] | undefined;
}

/** `a,b`, at least one, none of them empty. */
function parseList(text: string): readonly string[] | undefined {
  const parts = text.split(',').map((part) => part.trim());
  return parts.includes('') ? undefined : parts;
}

const isFunctionName = (name: string): boolean => /^[\w.]+$/.test(name);

/** Checks all of it; what is wrong is added to `problems`, one line each. */
export function parseDetailOptions(flags: DetailFlags, problems: string[]): DetailOptions {
  const checked = createOptionCheck(problems);
  return {
    caller: flags.outputCaller === true,
    stack: flags.outputStack === true,
    tunnel: flags.outputTunnel === true,
    skb: flags.outputSkb === true,
    sharedInfo: flags.outputSkbSharedInfo === true,
    controlBlock: flags.outputSkbCb === true,
    maps: flags.outputBpfmap === true,
    metadata: checked(
      '--output-skb-metadata',
      flags.outputSkbMetadata,
      (text) => {
        const expressions = parseList(text);
        return expressions !== undefined && expressions.length <= metadataMost
          ? expressions
          : undefined;
      },
      `one to ${metadataMost} expressions like skb->hash,skb->dev->ifindex`,
    ),
    innerFunctions: checked(
      '--filter-non-skb-funcs',
      flags.filterNonSkbFuncs,
      (text) => {
        const names = parseList(text);
        return names?.every(isFunctionName) === true ? names : undefined;
      },
      'names of kernel functions like fib_table_lookup,nf_nat_setup_info',
    ),
  };
}

export function addDetailOptions(command: Command): Command {
  return command
    .option(
      '--filter-non-skb-funcs <names>',
      'also watch these functions that take no skb, where they run inside of a call on a packet',
    )
    .option('--output-caller', 'who called each function')
    .option('--output-stack', 'the kernel stack of each call')
    .option('--output-tunnel', 'addresses of the packet in a tunnel')
    .option(
      '--output-skb-metadata <exprs>',
      "values at each call: up to 4 expressions like 'skb->hash,skb->dev->ifindex'",
    )
    .option('--output-skb-cb', 'skb->cb at each call')
    .option('--output-skb', 'the whole struct sk_buff at each call, members that are 0 left out')
    .option('--output-skb-shared-info', 'the same of its struct skb_shared_info')
    .option('--output-bpfmap', 'what BPF programs look up, update and delete in maps for a packet');
}
