import { lossCauses, type LossCause, type Statistics } from '../event/statistics.ts';
import { formatDuration } from './durations.ts';

/** A whole number, not negative. Not by toLocaleString: its first use loads all of Intl, and the user waits for the prompt. */
const grouped = (value: number): string => String(value).replace(/\B(?=(?:\d{3})+$)/g, ',');

function counted(value: number, noun: string): string {
  return `${grouped(value)} ${noun}${value === 1 ? '' : 's'}`;
}

/** Lines `<number>  <words>` with the numbers under each other. */
function column(rows: readonly (readonly [count: number, words: string])[]): string[] {
  const numbers = rows.map(([count]) => grouped(count));
  const width = Math.max(...numbers.map((number) => number.length));
  return rows.map(([, words], index) => `  ${(numbers[index] ?? '').padStart(width)}  ${words}`);
}

/**
 * What a run saw and lost, as lines of text: packets, events and their rate over `elapsedMs`, drops by reason (most first),
 * losses by cause, or that nothing was lost.
 */
export function formatSummary(statistics: Statistics, elapsedMs: number): string {
  const rate = elapsedMs > 0 ? Math.round(statistics.events / (elapsedMs / 1000)) : 0;
  const packets = counted(statistics.paths, 'packet');
  // Packets without events: a recording that was cut off, or left early, does not say how many there were.
  const lines = [
    statistics.events === 0 && statistics.paths > 0
      ? `${packets} in ${formatDuration(elapsedMs)}`
      : `${packets}, ${counted(statistics.events, 'event')} ` +
        `in ${formatDuration(elapsedMs)} (${grouped(rate)} events/s)`,
  ];

  const drops = [...statistics.drops]
    .filter(([, count]) => count > 0)
    .sort(([, left], [, right]) => right - left)
    .map(([reason, count]) => [count, reason] as const);
  if (drops.length > 0) lines.push('dropped by the kernel:', ...column(drops));

  if (statistics.leftOut !== undefined)
    lines.push(`left out by --keep: ${counted(statistics.leftOut, 'packet')}`);

  const losses = (Object.keys(lossCauses) as LossCause[])
    .map((cause) => [statistics.losses.get(cause) ?? 0, lossCauses[cause]] as const)
    .filter(([count]) => count > 0);
  if (losses.length > 0) lines.push('lost by skbspan:', ...column(losses));
  else lines.push('nothing lost');
  return `${lines.join('\n')}\n`;
}
