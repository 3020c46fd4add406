/**
 * The keys of hop mode's words as they stand in a comment, ` key=` in bytes: the writer copies them, the reader compares
 * them. All that a recording can say is in this list (the reader also reads `format` and `mode` of a file's head, and a run's counts).
 */
export interface WordKey {
  readonly bytes: Uint8Array;
  readonly length: number;
  /**
   * The first eight bytes and the rest, with zeros behind, as a number that has these bytes: one store. What is ASCII is
   * never a NaN, which a store might change.
   */
  readonly first: number;
  readonly second: number;
}

function keyOf(name: string): WordKey {
  const bytes = Uint8Array.from(Buffer.from(` ${name}=`, 'latin1'));
  if (bytes.length > 16) throw new RangeError(`the key ${name} is too long`);
  const view = new DataView(new ArrayBuffer(16));
  for (const [at, byte] of bytes.entries()) view.setUint8(at, byte);
  const [first, second] = [view.getFloat64(0, true), view.getFloat64(8, true)];
  return { bytes, length: bytes.length, first, second };
}

// Written out, because an object that is made in a loop is slower to look into.
export const key = {
  addr: keyOf('addr'),
  after: keyOf('after'),
  at: keyOf('at'),
  between: keyOf('between'),
  boot: keyOf('boot'),
  call: keyOf('call'),
  calls: keyOf('calls'),
  cause: keyOf('cause'),
  cgroup: keyOf('cgroup'),
  chain: keyOf('chain'),
  code: keyOf('code'),
  conntracks: keyOf('conntracks'),
  container: keyOf('container'),
  count: keyOf('count'),
  cpu: keyOf('cpu'),
  depth: keyOf('depth'),
  detail: keyOf('detail'),
  dev: keyOf('dev'),
  dir: keyOf('dir'),
  dport: keyOf('dport'),
  dst: keyOf('dst'),
  dur: keyOf('dur'),
  ending: keyOf('ending'),
  events: keyOf('events'),
  family: keyOf('family'),
  flags: keyOf('flags'),
  format: keyOf('format'),
  from: keyOf('from'),
  func: keyOf('func'),
  gso: keyOf('gso'),
  handle: keyOf('handle'),
  hash: keyOf('hash'),
  host: keyOf('host'),
  how: keyOf('how'),
  id: keyOf('id'),
  ifindex: keyOf('ifindex'),
  in: keyOf('in'),
  index: keyOf('index'),
  info: keyOf('info'),
  inode: keyOf('inode'),
  into: keyOf('into'),
  kind: keyOf('kind'),
  l2: keyOf('l2'),
  l3: keyOf('l3'),
  l4: keyOf('l4'),
  len: keyOf('len'),
  life: keyOf('life'),
  link: keyOf('link'),
  lives: keyOf('lives'),
  loc: keyOf('loc'),
  losses: keyOf('losses'),
  mark: keyOf('mark'),
  mode: keyOf('mode'),
  module: keyOf('module'),
  mtu: keyOf('mtu'),
  netinode: keyOf('netinode'),
  netns: keyOf('netns'),
  network: keyOf('network'),
  odport: keyOf('odport'),
  odst: keyOf('odst'),
  osport: keyOf('osport'),
  osrc: keyOf('osrc'),
  otransport: keyOf('otransport'),
  packet: keyOf('packet'),
  packets: keyOf('packets'),
  paths: keyOf('paths'),
  pid: keyOf('pid'),
  pod: keyOf('pod'),
  program: keyOf('program'),
  proto: keyOf('proto'),
  protocol: keyOf('protocol'),
  queue: keyOf('queue'),
  rdport: keyOf('rdport'),
  rdst: keyOf('rdst'),
  reason: keyOf('reason'),
  rec: keyOf('rec'),
  ret: keyOf('ret'),
  rsport: keyOf('rsport'),
  rsrc: keyOf('rsrc'),
  rtransport: keyOf('rtransport'),
  seq: keyOf('seq'),
  skb: keyOf('skb'),
  skip: keyOf('skip'),
  sock: keyOf('sock'),
  sockets: keyOf('sockets'),
  sport: keyOf('sport'),
  src: keyOf('src'),
  start: keyOf('start'),
  state: keyOf('state'),
  status: keyOf('status'),
  table: keyOf('table'),
  task: keyOf('task'),
  tid: keyOf('tid'),
  timing: keyOf('timing'),
  trace: keyOf('trace'),
  transport: keyOf('transport'),
  type: keyOf('type'),
  uid: keyOf('uid'),
  verdict: keyOf('verdict'),
  vlan: keyOf('vlan'),
  zone: keyOf('zone'),
} as const;
