import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/**
 * Makes dist/ anew: what is published. Guests run that, as users do; stripping the types of every file at every start would
 * take longer there than the start itself.
 */
export function buildPublished(): void {
  execFileSync(process.execPath, [join(import.meta.dirname, '../build-dist.ts')], {
    stdio: 'inherit',
  });
}
