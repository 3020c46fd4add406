import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';

const project = join(import.meta.dirname, '../..');

/**
 * Makes dist/ anew: what is published. Guests run that, as users do; stripping the types of every file at every start would
 * take longer there than the start itself.
 */
export function buildPublished(): void {
  rmSync(join(project, 'dist'), { recursive: true, force: true });
  const tsc = join(project, 'node_modules/typescript/bin/tsc');
  const args = [tsc, '-p', join(project, 'tsconfig.build.json')];
  execFileSync(process.execPath, args, { stdio: 'inherit' });
}
