import assert from 'node:assert/strict';
import test from 'node:test';
import { parseDetailOptions } from '../../src/cli/detail-options.ts';
import { parseFilterOptions } from '../../src/cli/filter-options.ts';
import { parseTraceOptions, type TraceFlags } from '../../src/cli/trace-options.ts';
import { SkbspanError } from '../../src/errors.ts';

const otlpDefaults = {
  protocol: undefined,
  timeScale: 1,
  clones: 'same_trace',
  detail: 'calls',
  maxSpans: 2000,
  join: 'link',
} as const;

const defaults = {
  backend: undefined,
  functions: undefined,
  presets: undefined,
  modules: undefined,
  netns: undefined,
  filter: parseFilterOptions({}, [], []),
  detail: parseDetailOptions({}, []),
  outputFile: undefined,
  limitLines: undefined,
  otlp: undefined,
  intake: { keep: undefined, traceId: 'random' },
  metrics: undefined,
  jsonFile: undefined,
  pcapng: undefined,
  kafka: undefined,
  format: 'tree',
  table: { timestamp: 'none', tcpFlags: false },
  durationMs: undefined,
  readyFile: undefined,
  ringBytes: 64 * 1024 * 1024,
  maps: { lives: 65_536, calls: 65_536 },
  snaplenBytes: 128,
  color: undefined,
  exits: false,
  programs: new Set(['tc', 'xdp']),
} as const;

test('an empty command line gives the defaults', () => {
  assert.deepEqual(parseTraceOptions({ color: true }), defaults);
});

test('each option is read', () => {
  const table: readonly (readonly [TraceFlags, object])[] = [
    [{ backend: 'kprobe-multi' }, { backend: 'kprobe-multi' }],
    [{ filterTraceTc: false }, { programs: new Set(['xdp']) }],
    [{ filterTraceXdp: false, filterTraceTc: true }, { programs: new Set(['tc']) }],
    [{ filterFunc: 'ip_.*|tcp_v4_rcv' }, { functions: 'ip_.*|tcp_v4_rcv' }],
    [{ filterNetns: 'inode:4026531840' }, { netns: 'inode:4026531840' }],
    [{ outputLimitLines: '10' }, { limitLines: 10 }],
    [
      { metricsListen: ':9464' },
      { metrics: { listen: { host: '0.0.0.0', port: 9464 }, push: false } },
    ],
    [{ metricsListen: '[::1]:1' }, { metrics: { listen: { host: '::1', port: 1 }, push: false } }],
    [{ traceId: 'content' }, { intake: { keep: undefined, traceId: 'content' } }],
    [{ otlp: true }, { otlp: { ...otlpDefaults, endpoint: undefined } }],
    [
      {
        otlp: true,
        spanDetail: 'milestones',
        otlpClones: 'own_trace',
        otlpMaxSpans: '500',
        otlpJoin: 'child',
      },
      {
        otlp: {
          endpoint: undefined,
          protocol: undefined,
          timeScale: 1,
          clones: 'own_trace',
          detail: 'milestones',
          maxSpans: 500,
          join: 'child',
        },
      },
    ],
    [
      { otlp: 'http://c:4317', otlpTimeScale: '1000' },
      { otlp: { ...otlpDefaults, endpoint: 'http://c:4317', timeScale: 1000 } },
    ],
    [
      { otlp: 'http://c', otlpProtocol: 'http/protobuf' },
      { otlp: { ...otlpDefaults, endpoint: 'http://c', protocol: 'http/protobuf' } },
    ],
    [{ json: true }, { jsonFile: '-' }],
    [{ json: '/tmp/paths.jsonl' }, { jsonFile: '/tmp/paths.jsonl' }],
    [
      { json: '/tmp/paths.jsonl', format: 'table' },
      { jsonFile: '/tmp/paths.jsonl', format: 'table' },
    ],
    [{ format: 'none' }, { format: 'none' }],
    [{ duration: '500ms' }, { durationMs: 500 }],
    [{ readyFile: '/tmp/ready' }, { readyFile: '/tmp/ready' }],
    [{ maxLives: '16', maxCalls: '99' }, { maps: { lives: 16, calls: 99 } }],
    [{ ringMb: '1' }, { ringBytes: 1024 * 1024 }],
    [{ ringMb: '1024' }, { ringBytes: 1024 * 1024 * 1024 }],
    [{ snaplen: '0' }, { snaplenBytes: 0 }],
    [{ snaplen: '65535' }, { snaplenBytes: 65_535 }],
    [{ color: false }, { color: false }],
    [
      { outputSkbMetadata: 'skb->len, skb->hash', outputStack: true },
      {
        detail: {
          ...parseDetailOptions({}, []),
          stack: true,
          metadata: ['skb->len', 'skb->hash'],
        },
      },
    ],
    [
      { filterNonSkbFuncs: 'fib_lookup' },
      { detail: { ...parseDetailOptions({}, []), innerFunctions: ['fib_lookup'] } },
    ],
    [
      { outputFile: 'x', outputFileMaxSize: '5', outputFileMaxAge: '2', outputFileCompress: true },
      {
        outputFile: {
          path: 'x',
          maxBytes: 5_000_000,
          maxBackups: undefined,
          maxAgeMs: 2 * 24 * 3600 * 1000,
          compress: true,
        },
      },
    ],
    [{ kprobeExits: true }, { exits: true }],
    [
      { kprobeExits: true, backend: 'kprobe' },
      { exits: true, backend: 'kprobe' },
    ],
  ];
  for (const [flags, want] of table) {
    assert.deepEqual(parseTraceOptions(flags), { ...defaults, ...want }, JSON.stringify(flags));
  }
});

test('each mistake is refused and named', () => {
  const table: readonly (readonly [TraceFlags, RegExp])[] = [
    [{ backend: 'fentry' }, /--backend: want kprobe-session, .*not 'fentry'/],
    [{ filterFunc: 'ip_(' }, /--filter-func: Invalid regular expression/],
    [{ filterNetns: '' }, /--filter-netns: the value is empty/],
    [{ outputLimitLines: '0' }, /--output-limit-lines: .*not '0'/],
    [{ outputLimitLines: '1e3' }, /--output-limit-lines/],
    [{ keep: 'dropped,often' }, /--keep: 'often' is no rule/],
    [{ traceId: 'same' }, /--trace-id: want random or content/],
    [{ otlpMetrics: true }, /--otlp-metrics needs --otlp/],
    [{ metricsListen: '9464' }, /--metrics-listen: want an address/],
    [{ metricsListen: ':94640' }, /--metrics-listen: want an address/],
    [{ spanDetail: 'packet' }, /--span-detail needs --otlp/],
    [{ otlp: true, spanDetail: 'all' }, /--span-detail: want calls, milestones, packet, not 'all'/],
    [{ otlpProtocol: 'grpc' }, /--otlp-protocol needs --otlp/],
    [
      { otlp: true, otlpProtocol: 'http/json' },
      /--otlp-protocol: want grpc or http\/protobuf, not 'http\/json'/,
    ],
    [{ otlp: true, otlpClones: 'none' }, /--otlp-clones: want same_trace or own_trace/],
    [{ otlp: true, otlpMaxSpans: '1' }, /--otlp-max-spans: want a whole number from 2/],
    [{ otlp: '' }, /--otlp: the value is empty/],
    [{ otlpTimeScale: '10' }, /--otlp-time-scale needs --otlp/],
    [{ otlp: true, otlpTimeScale: '1.5' }, /--otlp-time-scale: want a whole number/],
    [{ json: '' }, /--json: the value is empty/],
    [{ json: true, format: 'table' }, /--format and --no-color are for text/],
    [{ json: true, color: false }, /--format and --no-color are for text/],
    [{ format: 'xml' }, /--format: want tree, table, none, not 'xml'/],
    [{ duration: '10' }, /--duration: want a duration/],
    [{ readyFile: '' }, /--ready-file: the value is empty/],
    [{ ringMb: '3' }, /--ring-mb: want a power of two/],
    [{ ringMb: '0' }, /--ring-mb/],
    [{ maxLives: '0' }, /--max-lives: want a whole number/],
    [{ maxCalls: 'x' }, /--max-calls: want a whole number/],
    [{ ringMb: '2048' }, /--ring-mb/],
    [{ snaplen: '65536' }, /--snaplen/],
    [{ snaplen: '-1' }, /--snaplen/],
    [{ outputSkbMetadata: 'skb->len,' }, /--output-skb-metadata: want one to 4 expressions/],
    [{ outputSkbMetadata: '1,2,3,4,5' }, /--output-skb-metadata: want one to 4 expressions/],
    [{ filterNonSkbFuncs: 'a b' }, /--filter-non-skb-funcs: want names/],
    [{ outputFile: '' }, /--output-file: the value is empty/],
    [{ outputFileMaxAge: '1' }, /--output-file-max-age needs --output-file/],
    [{ outputFile: 'x', outputFileMaxSize: '0' }, /--output-file-max-size: want a number/],
    [{ outputFile: 'x', pcapng: '-' }, /--output-file takes lines/],
    [{ kprobeExits: true, backend: 'tracepoint' }, /--kprobe-exits is for the backend kprobe/],
  ];
  for (const [flags, want] of table) {
    assert.throws(
      () => parseTraceOptions(flags),
      (error: unknown) =>
        error instanceof SkbspanError && error.code === 'SKBSPAN_USAGE' && want.test(error.message),
      JSON.stringify(flags),
    );
  }
});

test('all mistakes come in one message', () => {
  const flags = { backend: 'x', ringMb: '3', duration: 'soon' };
  assert.throws(
    () => parseTraceOptions(flags, ['--wrong', 'icmp']),
    (error: unknown) => {
      assert.ok(error instanceof SkbspanError);
      assert.equal(error.message.split('\n').length, 4);
      assert.match(error.message, /unknown option --wrong/);
      assert.match(error.advice ?? '', /skbspan trace --help/);
      return true;
    },
  );
});

test('words are the pcap filter; after an unknown option nobody can say which', () => {
  assert.equal(parseTraceOptions({}, ['tcp', 'port', '80']).filter.packet, 'tcp port 80');
  const asked: (string | undefined)[] = [];
  const check = ({ filter: { packet } }: { filter: { packet: string | undefined } }): void => {
    asked.push(packet);
  };
  assert.throws(() => parseTraceOptions({}, ['--wrong', 'icmp'], { check }), {
    code: 'SKBSPAN_USAGE',
  });
  assert.deepEqual(asked, [undefined]);
});
