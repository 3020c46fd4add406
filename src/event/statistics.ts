/** What a run counted. Losses are by cause; nothing is lost without being in here. */
export interface Statistics {
  /** Records that were read from the ring. */
  readonly events: number;
  /** Lives the kernel began. */
  readonly lives: number;
  /** Paths finished by the tracker. */
  readonly paths: number;
  /** Drops by reason name. */
  readonly drops: ReadonlyMap<string, number>;
  /** Lost things by cause, see `lossCauses`; a cause with 0 is present. */
  readonly losses: ReadonlyMap<LossCause, number>;
  /** Paths that --keep left out: not lost. undefined: nothing was asked to be. */
  readonly leftOut?: number;
}

/** Every way in which something can be lost, with the words the summary uses. */
export const lossCauses = {
  ring_full: 'events: the ring buffer was full (enlarge it with --ring-mb)',
  lives_full:
    'packets not followed: the kernel table of lives was full (enlarge it with --max-lives)',
  lives_busy: 'packets not followed: another CPU was about to give their place away',
  calls_full:
    'exits not matched: the kernel table of open calls was full (enlarge it with --max-calls)',
  links: 'clones, copies and parts of packets that could not be followed',
  context: 'task and device records not sent',
  reused: 'packets whose end was not seen before their address was used again',
  unreadable: 'skb arguments that could not be read',
  list_members: 'events: calls on packets of a list beyond its first 64',
  recursion: 'probe hits skipped by the kernel (recursion)',
  undecodable: 'events with impossible content',
  orphan_exits: 'exits and details without a call (their path was already handed out)',
  tracker_memory: 'events thrown away: memory for paths in flight was used up',
  paths_dropped: 'paths dropped: the main thread lagged behind',
  recording: 'paths of a recording that are incomplete or damaged',
  export_queue: 'paths not exported: an export queue was full',
  export_refused: 'paths or spans refused by the backend',
  export_failed: 'paths or spans that could not be delivered',
  record_too_large: 'paths larger than a Kafka record may be (--kafka-max-bytes)',
  foreign_records: 'records of the topic that are no paths, or of a newer skbspan',
  spill_full: 'paths that neither Kafka took nor its spill had room for',
} as const;

export type LossCause = keyof typeof lossCauses;
