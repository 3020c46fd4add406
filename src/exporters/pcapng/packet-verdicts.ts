import type { Call } from '../../event/packet-path.ts';
import { isProgram, verdictNumber } from '../../event/verdicts.ts';
import { type EnhancedPacket, verdictType } from './blocks.ts';

/** epb_verdict of each tc and XDP program among the calls, in their order; nothing at all if there is none. */
export function verdictsOf(calls: readonly Call[]): Pick<EnhancedPacket, 'verdicts'> {
  const verdicts = calls.filter(isProgram).flatMap(({ kind, returnValue }) =>
    returnValue === undefined
      ? []
      : {
          type: kind === 'tc' ? verdictType.tc : verdictType.xdp,
          // TC_ACT_UNSPEC is -1.
          value: BigInt.asUintN(64, BigInt(verdictNumber(kind, returnValue))),
        },
  );
  return verdicts.length === 0 ? {} : { verdicts };
}
