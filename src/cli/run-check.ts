import { release } from 'node:os';
import { surveyPrograms } from '../collector/program-survey.ts';
import { detectBackends, features, type BackendSupport } from '../kernel/features.ts';
import { alignColumns } from './terminal.ts';

/** Which backend a trace would take, and the reason why not a better one. */
function verdict(backends: readonly BackendSupport[]): string {
  const index = backends.findIndex(({ available }) => available);
  const best = backends[index];
  if (best === undefined) return 'No backend works here: see above for what is missing.\n';
  const better = backends.slice(0, index).map(({ backend, missing }) => {
    return `  ${backend} needs\n${missing.map((what) => `    ${what}\n`).join('')}`;
  });
  const rest = better.length === 0 ? '' : `What is missing for a better one:\n${better.join('')}`;
  return `skbspan trace takes ${best.backend}.\n${rest}`;
}

/** Runs `skbspan check`; resolves with the exit code: 0 if any backend works. */
export async function runCheck(): Promise<number> {
  const backends = detectBackends();
  const programs = await surveyPrograms();
  const answers = features.map((feature) => ({ ...feature, ...feature.probe() }));
  process.stdout.write(
    [
      `Linux ${release()}\n`,
      alignColumns([
        ['BACKEND', 'WORKS'],
        ...backends.map(({ backend, available }) => [backend, available ? 'yes' : 'no']),
      ]),
      alignColumns([
        ['FEATURE', 'HERE', 'SINCE', 'WHAT FOR', 'FOUND'],
        ...answers.map(({ name, state, since, why, detail }) => [name, state, since, why, detail]),
      ]),
      verdict(backends),
      programs.map((line) => `${line}\n`).join(''),
    ].join('\n'),
  );
  return backends.some(({ available }) => available) ? 0 : 1;
}
