// Generated from build/skbspan.bpf.o by `npm run generate`; do not edit.

/** Byte offsets of each record's members; `size` is the whole struct. */
export const eventHeader = {
  size: 32,
  timeNs: 0,
  life: 8,
  seq: 16,
  probe: 20,
  tid: 24,
  cpu: 28,
  kind: 30,
  flags: 31,
} as const;

export const enterEvent = {
  size: 72,
  skb: 32,
  frame: 40,
  netns: 48,
  ifindex: 52,
  len: 56,
  mark: 60,
  protocol: 64,
  details: 68,
} as const;

export const exitEvent = {
  size: 40,
  returnValue: 32,
} as const;

export const linkEvent = {
  size: 56,
  parent: 32,
  skb: 40,
  parentSeq: 48,
  operation: 52,
} as const;

export const freeEvent = {
  size: 56,
  location: 32,
  skb: 40,
  how: 48,
} as const;

export const dropEvent = {
  size: 56,
  location: 32,
  skb: 40,
  reason: 48,
  verdict: 52,
} as const;

export const packetEvent = {
  size: 112,
  skb: 32,
  head: 40,
  parent: 48,
  socket: 56,
  len: 64,
  caplen: 68,
  netns: 72,
  ifindex: 76,
  mark: 80,
  hash: 84,
  macOffset: 88,
  networkOffset: 90,
  transportOffset: 92,
  protocol: 94,
  vlanTci: 96,
  vlanProto: 98,
  queueMapping: 100,
  gsoSize: 102,
  gsoSegs: 104,
  pktType: 106,
  cloned: 107,
  dataLen: 108,
  data: 112,
} as const;

export const taskEvent = {
  size: 64,
  cgroup: 32,
  tgid: 40,
  comm: 48,
} as const;

export const deviceEvent = {
  size: 80,
  netns: 32,
  ifindex: 36,
  mtu: 40,
  type: 44,
  name: 48,
  linkKind: 64,
} as const;

export const detailEvent = {
  size: 40,
  part: 32,
  bytes: 36,
  data: 40,
} as const;

export const detailMap = {
  size: 32,
  id: 0,
  type: 4,
  keyBytes: 8,
  valueBytes: 12,
  name: 16,
} as const;

export const socketEvent = {
  size: 112,
  socket: 32,
  cgroup: 40,
  inode: 48,
  localAddress: 56,
  remoteAddress: 72,
  netns: 88,
  uid: 92,
  localPort: 96,
  remotePort: 98,
  family: 100,
  type: 102,
  protocol: 104,
  state: 106,
  full: 107,
} as const;

export const conntrackTuple = {
  size: 40,
  sourceAddress: 0,
  destinationAddress: 16,
  sourcePort: 32,
  destinationPort: 34,
  family: 36,
  protocol: 38,
} as const;

export const conntrackEvent = {
  size: 136,
  conntrack: 32,
  status: 40,
  mark: 44,
  original: 48,
  reply: 88,
  zone: 128,
  info: 130,
} as const;

export const ruleEvent = {
  size: 176,
  handle: 32,
  family: 40,
  table: 48,
  chain: 112,
} as const;

export const config = {
  size: 128,
  cgroup: 0,
  netns: 8,
  snaplen: 12,
  ignoredTgid: 16,
  filters: 20,
  mark: 24,
  markMask: 28,
  tgid: 32,
  cgroupLevel: 36,
  sampleRate: 40,
  questions: 44,
  ifname: 48,
  details: 64,
  stackBytes: 68,
  values: 72,
  skbBytes: 76,
  sharedBytes: 80,
  inner: 84,
  threadBytes: 88,
  listMembers: 92,
  remembers: 96,
  glance: 100,
  callPlaces: 104,
  lives: 108,
  lifeHomes: 112,
  lifeShift: 116,
  lifePlaces: 120,
  lifeSpares: 124,
} as const;

export const control = {
  size: 184,
  trampolines: 0,
  pageOffset: 24,
  vmemmap: 32,
  ownMaps: 40,
  pageBytes: 168,
  frames: 172,
  recording: 176,
  shortWay: 180,
} as const;

export const life = {
  size: 128,
} as const;

export const eventKind = {
  enter: 1,
  exit: 2,
  packet: 3,
  link: 4,
  free: 5,
  drop: 6,
  task: 7,
  device: 8,
  detail: 20,
  socket: 30,
  conntrack: 31,
  rule: 32,
} as const;

export const eventFlag = {
  point: 1,
  enterOnly: 2,
  first: 4,
  linked: 8,
  list: 16,
  merge: 32,
} as const;

export const linkOperation = {
  clone: 1,
  copy: 2,
  segment: 3,
  morph: 4,
  xdp: 5,
  gro: 6,
  reassembly: 7,
  fragment: 8,
} as const;

export const freeHow = {
  consumed: 1,
  released: 2,
  memory: 3,
  reused: 4,
  morphed: 5,
} as const;

export const probeRole = {
  plain: 0,
  release: 1,
  free: 2,
  freeMemory: 3,
  clone: 4,
  copy: 5,
  alloc: 6,
  frameReturn: 16,
  fragment: 7,
  fragmentList: 8,
  segment: 9,
  morph: 10,
  reassemble: 11,
  merge: 12,
  defer: 13,
  arrival: 14,
  inner: 32,
  mapLookup: 33,
  mapUpdate: 34,
  mapDelete: 35,
  mapElement: 36,
  list: 40,
  place: 41,
} as const;

export const tracepointId = {
  none: 0,
  net_dev_queue: 1,
  net_dev_start_xmit: 2,
  net_dev_xmit: 3,
  netif_rx_entry: 4,
  netif_rx: 5,
  netif_receive_skb_entry: 6,
  netif_receive_skb_list_entry: 7,
  napi_gro_receive_entry: 8,
  napi_gro_frags_entry: 9,
  netif_receive_skb: 10,
  qdisc_enqueue: 11,
  qdisc_dequeue: 12,
  icmp_send: 13,
  sock_rcvqueue_full: 14,
  udp_fail_queue_rcv_skb: 15,
  skb_copy_datagram_iovec: 16,
  tcp_retransmit_skb: 17,
  tcp_send_reset: 18,
  tcp_probe: 19,
  tcp_bad_csum: 20,
  tcp_hash_bad_header: 21,
  tcp_hash_md5_required: 22,
  tcp_hash_md5_unexpected: 23,
  tcp_hash_md5_mismatch: 24,
  tcp_hash_ao_required: 25,
  tcp_ao_handshake_failure: 26,
} as const;

export const tracepointArgument = {
  net_dev_queue: 0,
  net_dev_start_xmit: 0,
  net_dev_xmit: 0,
  netif_rx_entry: 0,
  netif_rx: 0,
  netif_receive_skb_entry: 0,
  netif_receive_skb_list_entry: 0,
  napi_gro_receive_entry: 0,
  napi_gro_frags_entry: 0,
  netif_receive_skb: 0,
  qdisc_enqueue: 2,
  qdisc_dequeue: 3,
  icmp_send: 0,
  sock_rcvqueue_full: 1,
  udp_fail_queue_rcv_skb: 2,
  skb_copy_datagram_iovec: 0,
  tcp_retransmit_skb: 1,
  tcp_send_reset: 1,
  tcp_probe: 1,
  tcp_bad_csum: 0,
  tcp_hash_bad_header: 1,
  tcp_hash_md5_required: 1,
  tcp_hash_md5_unexpected: 1,
  tcp_hash_md5_mismatch: 1,
  tcp_hash_ao_required: 1,
  tcp_ao_handshake_failure: 1,
} as const;

export const detail = {
  stack: 1,
  tunnel: 2,
  values: 4,
  cb: 8,
  skb: 16,
  shared: 32,
  map: 64,
  value: 128,
} as const;

export const counter = {
  lives: 0,
  lostRingFull: 1,
  lostLivesFull: 2,
  lostLivesBusy: 3,
  lostCallsFull: 4,
  lostLinks: 5,
  lostContext: 6,
  reused: 7,
  unreadable: 8,
  lostMembers: 9,
  counterSlots: 10,
} as const;

export const filter = {
  pcap: 1,
  tunnelLink: 2,
  tunnelNetwork: 4,
  mark: 8,
  ifname: 16,
  process: 32,
  cgroup: 64,
  expression: 128,
  sample: 256,
  transmit: 512,
  receive: 1024,
} as const;

export const filterWindow = {
  link: 0,
  network: 1,
  innerLink: 2,
  innerNetwork: 3,
  either: 4,
} as const;

export const glance = {
  possible: 1,
  either: 2,
} as const;

export const frameWatch = {
  none: 0,
  watched: 1,
  copied: 2,
} as const;
