import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The absolute path of a file of this package: a built script such as `onnx-worker.js`, or `models/default.onnx`. Undefined if it
 * is not there, as where this code was bundled into another program.
 *
 * Asked for when it is needed, and not as `new URL(name, import.meta.url)`: bundlers of servers take such an expression for a
 * file to copy, and what they make of it is no path.
 */
export function packageFile(name: string): string | undefined {
  // A program in CommonJS has no address of its modules.
  const script: string | undefined = import.meta.url;
  if (!script?.startsWith('file:')) return undefined;
  const folder = dirname(fileURLToPath(script));
  // Built scripts lie in `dist`, the sources, which tests run, one folder deeper.
  const candidates = name.includes('/')
    ? [join(folder, '..', name), join(folder, '../..', name)]
    : [join(folder, name)];
  return candidates.find((path) => existsSync(path));
}
