/**
 * Keeps compiled code between runs: imported first, for its effect, by what Node starts (the command line and the
 * collector's thread), which then import the rest dynamically.
 *
 * The cache lies within the package, not in the user's or a common folder: whoever can write here can change the program
 * itself. Where it cannot be written, a start takes a while longer.
 */
import { enableCompileCache } from 'node:module';
import { packageFile } from './package-files.ts';

enableCompileCache(packageFile('.cache/compile'));
