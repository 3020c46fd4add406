/** The part of a JSON line (docs/json.md) that says what a path means, as the checks read it. */
import type { SeenCall, SeenFlow, SeenLife, SeenPath } from './scenario.ts';

interface SeenDevice {
  readonly name: string;
  readonly kind: string;
  readonly netns: number;
}

interface SeenTask {
  readonly tgid: number;
  readonly comm: string;
  readonly container_id: string;
  readonly pod_uid: string;
}

interface SeenTuple {
  readonly source_address: string;
  readonly source_port: number | null;
  readonly destination_address: string;
}

export interface StoryLife extends SeenLife {
  readonly end:
    | (SeenLife['end'] & {
        readonly rule: {
          readonly family: string;
          readonly table: string;
          readonly chain: string;
          readonly handle: number;
        } | null;
      })
    | null;
  readonly sockets: readonly {
    readonly inode: number;
    readonly uid: number | null;
    readonly family: string;
    readonly type: string;
    readonly protocol: string;
    readonly local_port: number;
    readonly container_id: string;
    readonly pod_uid: string;
  }[];
  readonly conntracks: readonly {
    readonly info: string;
    readonly status: readonly string[];
    readonly original: SeenTuple;
    readonly reply: SeenTuple;
  }[];
  readonly waits: readonly {
    readonly place: string;
    readonly offset_ns: number;
    readonly duration_ns: number;
    readonly after: number;
    readonly before: number;
    readonly device: SeenDevice;
  }[];
  readonly crossings: readonly { readonly kind: string }[];
  readonly changes: readonly {
    readonly kind: string;
    readonly call: number;
    readonly after: SeenFlow;
    readonly tunnel: { readonly kind: string; readonly id: number | null } | null;
  }[];
}

export interface SeenStory extends Omit<SeenPath, 'lives'> {
  readonly lives: readonly StoryLife[];
  readonly outcome: {
    readonly kind: string;
    readonly life: number;
    readonly call: number;
    readonly device: SeenDevice | null;
    readonly socket: number;
    readonly task: SeenTask | null;
    readonly by: string;
  };
}

const callText = ({ func, device, offset_ns }: SeenCall): string =>
  `${func}@${device.name}+${offset_ns}`;

/** A path in a few lines, for messages. */
export const story = ({ id, flow, outcome, lives }: SeenStory): string =>
  [
    `#${id} ${flow?.transport ?? '?'} > ${flow?.destination_address ?? '?'}:${flow?.destination_port ?? ''} ${JSON.stringify(outcome)}`,
    ...lives.map(
      (life) =>
        `  ${life.parent?.operation ?? 'root'} ${life.calls.map(callText).join(' ')} ${JSON.stringify([life.end, life.sockets, life.conntracks, life.waits, life.changes])}`,
    ),
  ].join('\n');
