/** Every metric; docs/metrics.md says more of each (a test compares them). Units by UCUM. */
export const metricNames = {
  'skbspan.packets': {
    description: 'Packets whose path is over.',
    unit: '{packet}',
  },
  'skbspan.packets.incomplete': {
    description: 'Packets whose path misses something.',
    unit: '{packet}',
  },
  'skbspan.packets.left_out': {
    description: 'Packets that --keep left out.',
    unit: '{packet}',
  },
  'skbspan.packet.duration': {
    description: 'From the first call on a packet to the last.',
    unit: 's',
  },
  'skbspan.call.duration': {
    description: 'Time in a kernel function, with what it called.',
    unit: 's',
  },
  'skbspan.wait.duration': {
    description: 'Time in a queue, by place.',
    unit: 's',
  },
  'skbspan.drops': {
    description: 'Packets, clones included, that the kernel dropped.',
    unit: '{packet}',
  },
  'skbspan.events': {
    description: 'Records that the kernel side handed over.',
    unit: '{event}',
  },
  'skbspan.losses': {
    description: 'What skbspan itself lost, by cause.',
    unit: '{item}',
  },
  'skbspan.export.queue.size': {
    description: "Paths in an exporter's queue.",
    unit: '{path}',
  },
  'skbspan.export.queue.capacity': {
    description: "Paths that an exporter's queue has room for.",
    unit: '{path}',
  },
} as const;
