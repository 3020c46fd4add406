/**
 * Makes dist/, what is published: a bundle for each program that Node starts, with what they share in chunks/. One file is
 * read where there were a hundred, which is most of the time that a start takes. Packages stay outside: npm installs them.
 */
import { rmSync } from 'node:fs';
import { build } from 'esbuild';

process.chdir(`${import.meta.dirname}/..`);
rmSync('dist', { recursive: true, force: true });
await build({
  entryPoints: ['src/cli/main.ts', 'src/cli/demo-peer.ts', 'src/collector/worker.ts'],
  outdir: 'dist',
  outbase: 'src',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  packages: 'external',
  format: 'esm',
  platform: 'node',
  target: 'node22.18',
  sourcemap: true,
});
