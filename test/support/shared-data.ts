import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../shared/data/', import.meta.url));

/** True where the reference data beside the project is absent; tests that read it skip then. */
export const sharedDataMissing: boolean = !existsSync(`${root}README.md`);

/** Absolute path of a file or folder of the reference data. */
export function sharedData(path: string): string {
  return `${root}${path}`;
}
