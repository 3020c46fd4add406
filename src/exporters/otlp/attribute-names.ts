import {
  ATTR_CODE_FUNCTION_NAME,
  ATTR_CONTAINER_ID,
  ATTR_ERROR_TYPE,
  ATTR_K8S_POD_UID,
  ATTR_NETWORK_TRANSPORT,
  ATTR_NETWORK_TYPE,
  ATTR_SERVICE_NAME,
} from '@opentelemetry/semantic-conventions';
import {
  ATTR_CPU_LOGICAL_NUMBER,
  ATTR_DESTINATION_ADDRESS,
  ATTR_DESTINATION_PORT,
  ATTR_NETWORK_INTERFACE_NAME,
  ATTR_NETWORK_IO_DIRECTION,
  ATTR_PROCESS_EXECUTABLE_NAME,
  ATTR_PROCESS_PID,
  ATTR_SOURCE_ADDRESS,
  ATTR_SOURCE_PORT,
  ATTR_THREAD_NAME,
} from '@opentelemetry/semantic-conventions/incubating';

/** Names of the semantic conventions. Those of the resource that OpenTelemetry's detectors find are in `detected`. */
export const std = {
  codeFunctionName: ATTR_CODE_FUNCTION_NAME,
  containerId: ATTR_CONTAINER_ID,
  cpuLogicalNumber: ATTR_CPU_LOGICAL_NUMBER,
  destinationAddress: ATTR_DESTINATION_ADDRESS,
  destinationPort: ATTR_DESTINATION_PORT,
  errorType: ATTR_ERROR_TYPE,
  k8sPodUid: ATTR_K8S_POD_UID,
  networkInterfaceName: ATTR_NETWORK_INTERFACE_NAME,
  networkIoDirection: ATTR_NETWORK_IO_DIRECTION,
  networkTransport: ATTR_NETWORK_TRANSPORT,
  networkType: ATTR_NETWORK_TYPE,
  processExecutableName: ATTR_PROCESS_EXECUTABLE_NAME,
  processPid: ATTR_PROCESS_PID,
  serviceName: ATTR_SERVICE_NAME,
  sourceAddress: ATTR_SOURCE_ADDRESS,
  sourcePort: ATTR_SOURCE_PORT,
  threadName: ATTR_THREAD_NAME,
} as const;

/** What the detectors of host and operating system add to a resource. */
export const detected = ['host.name', 'host.id', 'host.arch', 'os.type', 'os.version'] as const;

/**
 * skbspan's own attributes: what no semantic convention has a name for. Each is described in docs/otel.md (a test checks
 * that).
 */
export const own = {
  calls: 'skbspan.calls',
  change: 'skbspan.change',
  conntrackInfo: 'skbspan.conntrack.info',
  conntrackStatus: 'skbspan.conntrack.status',
  caller: 'skbspan.caller',
  cgroup: 'skbspan.cgroup',
  depth: 'skbspan.depth',
  detail: 'skbspan.detail',
  dropAddress: 'skbspan.drop.address',
  dropFunction: 'skbspan.drop.function',
  dropModule: 'skbspan.drop.module',
  dropOffset: 'skbspan.drop.offset',
  dropReason: 'skbspan.drop.reason',
  dropReasonCode: 'skbspan.drop.reason_code',
  dropRule: 'skbspan.drop.rule',
  durationNs: 'skbspan.duration_ns',
  endHow: 'skbspan.end.how',
  endFunction: 'skbspan.end.function',
  ending: 'skbspan.ending',
  ethertype: 'skbspan.ethertype',
  gsoSegments: 'skbspan.gso.segments',
  gsoSize: 'skbspan.gso.size',
  ifindex: 'skbspan.ifindex',
  incomplete: 'skbspan.incomplete',
  linkSource: 'skbspan.link.source',
  leftOut: 'skbspan.left_out',
  len: 'skbspan.len',
  life: 'skbspan.life',
  lives: 'skbspan.lives',
  losses: 'skbspan.losses',
  mark: 'skbspan.mark',
  module: 'skbspan.module',
  interfaceKind: 'skbspan.interface.kind',
  mtu: 'skbspan.mtu',
  netnsInode: 'skbspan.netns.inode',
  netnsName: 'skbspan.netns.name',
  operation: 'skbspan.operation',
  outcome: 'skbspan.outcome',
  outcomeBy: 'skbspan.outcome.by',
  returnValue: 'skbspan.return_value',
  seq: 'skbspan.seq',
  skb: 'skbspan.skb',
  socketInode: 'skbspan.socket.inode',
  socketState: 'skbspan.socket.state',
  socketUid: 'skbspan.socket.uid',
  spanDetail: 'skbspan.span_detail',
  startOffsetNs: 'skbspan.start_offset_ns',
  tcpFlags: 'skbspan.tcp.flags',
  tid: 'skbspan.tid',
  timeScale: 'skbspan.time_scale',
  timing: 'skbspan.timing',
  tracepoint: 'skbspan.tracepoint',
  tunnelId: 'skbspan.tunnel.id',
  tunnelKind: 'skbspan.tunnel.kind',
  vlan: 'skbspan.vlan.id',
  waitPlace: 'skbspan.wait.place',
} as const;

/** Attributes of metrics only; docs/metrics.md. */
export const ofMetrics = {
  exporter: 'skbspan.exporter',
  lossCause: 'skbspan.loss.cause',
} as const;
