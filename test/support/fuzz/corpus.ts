import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the fixtures are. */
export const fixtures: string = fileURLToPath(new URL('../../fixtures/', import.meta.url));

/** The fixtures in a folder whose path, from there, fits. */
export function filesIn(folder: string, pattern: RegExp): Uint8Array[] {
  return readdirSync(join(fixtures, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => pattern.test(name.replaceAll('\\', '/')))
    .sort()
    .map((name) => new Uint8Array(readFileSync(join(fixtures, folder, name))));
}
