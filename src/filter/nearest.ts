/** Number of letters to insert, delete or replace to come from one word to another. */
function distance(from: string, into: string): number {
  let row = Array.from({ length: into.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= into.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === into[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}

const most = 3;

/** The names that a misspelt one probably means, best first, at most three. */
export function nearest(name: string, names: readonly string[]): string[] {
  const limit = Math.max(2, Math.ceil(name.length / 3));
  return [...new Set(names)]
    .map((candidate) => ({
      candidate,
      // Part of a name is near too: `header` means `network_header`.
      away: candidate.includes(name) ? 1 : distance(name, candidate),
    }))
    .filter(({ away }) => away <= limit)
    .sort((a, b) => a.away - b.away || a.candidate.length - b.candidate.length)
    .slice(0, most)
    .map(({ candidate }) => candidate);
}
