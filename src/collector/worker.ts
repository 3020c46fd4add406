// What the collector's thread is started with.
import '../compile-cache.ts';

await import('./worker-main.ts');
