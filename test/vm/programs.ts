/** The tc and XDP programs of the scenarios: compiled on the host, for the guests have no compiler. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Lab, until } from './lab.ts';

const source = new URL('programs.bpf.c', import.meta.url).pathname;
/** From the project's folder, which is where scenarios run. */
export const programsObject = 'build/test-programs.bpf.o';
/** One of them without type information. */
export const plainObject = 'build/test-plain.bpf.o';
/** One program alone. */
export const oneObject = 'build/test-one.bpf.o';

export function compilePrograms(): void {
  const folder = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
  const flags = [
    '-O2',
    '-Wall',
    '-Werror',
    '-target',
    'bpf',
    '-idirafter',
    `/usr/include/${folder}`,
  ];
  const output = (name: string): string => new URL(`../../${name}`, import.meta.url).pathname;
  execFileSync('clang', [...flags, '-g', '-c', source, '-o', output(programsObject)]);
  execFileSync('llvm-strip', ['-g', output(programsObject)]);
  execFileSync('clang', [...flags, '-g', '-DONE', '-c', source, '-o', output(oneObject)]);
  execFileSync('clang', [...flags, '-DPLAIN', '-c', source, '-o', output(plainObject)]);
}

/** Indices of the map `counted` in programs.bpf.c. */
export const counted = { tcDrop: 0, tcRedirect: 1, xdpDrop: 2, xdpTx: 3, xdpRedirect: 4 } as const;

const MESSAGE_TIMEOUT_MS = 30_000;

/** Waits until skbspan has said `words` so many times. */
export const said = (lab: Lab, words: string, times = 1): Promise<boolean> =>
  until(`skbspan says '${words}' ${times} times`, MESSAGE_TIMEOUT_MS, () => {
    const log = readFileSync(join(lab.folder, 'skbspan.log'), 'utf8');
    return log.split(words).length > times ? true : undefined;
  });

/** Puts a value into a map of the programs, in every instance of it. A device's number is that in b. */
export function fillMap(lab: Lab, name: string, key: number, value: number): void {
  const maps = JSON.parse(lab.run('bpftool -j map show')) as { id: number; name?: string }[];
  const found = maps.filter((map) => map.name === name);
  if (found.length === 0) throw new Error(`no map ${name} is loaded`);
  for (const { id } of found)
    lab.run(`ip netns exec b bpftool map update id ${id} key ${bytes(key)} value ${bytes(value)}`);
}

/** As bpftool takes a u32. */
const bytes = (value: number): string =>
  [...new Uint8Array(Uint32Array.of(value).buffer)].join(' ');

/** What the programs have counted themselves, all instances of the object added up. */
export function ownCounts(lab: Lab): number[] {
  const maps = JSON.parse(lab.run('bpftool -j map show')) as { id: number; name?: string }[];
  const sums = [0, 0, 0, 0, 0];
  for (const { id } of maps.filter(({ name }) => name === 'counted')) {
    const dump = JSON.parse(lab.run(`bpftool -j map dump id ${id}`)) as { value: string[] }[];
    for (const [index, { value }] of dump.slice(0, sums.length).entries()) {
      const bytes = Buffer.from(value.map((byte) => Number(byte)));
      sums[index] = (sums[index] ?? 0) + Number(bytes.readBigUInt64LE());
    }
  }
  return sums;
}
