import { execFileSync } from 'node:child_process';

/** The Python to test with: `CRYOET_PICKS_PYTHON`, else `PYTHON`, else `python3`. */
export const python: string = process.env.CRYOET_PICKS_PYTHON || process.env.PYTHON || 'python3';

/** What a call of that Python prints. */
export function runPython(...args: string[]): string {
  return execFileSync(python, ['-W', 'ignore', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 2 ** 28,
  });
}

/**
 * Whether that Python lacks zarr. 2.18 is what copick 1 writes with, 3 does as well;
 * test/fixtures/requirements-parity.txt names versions that are known to work.
 */
export const zarrPythonMissing: boolean = !imports('import zarr, numcodecs');

/** Whether that Python lacks copick 1; test/fixtures/requirements-copick.txt. */
export const copick1Missing: boolean = !imports('import copick; assert copick.__version__.startswith("1.")');

function imports(program: string): boolean {
  try {
    runPython('-c', program);
    return true;
  } catch {
    return false;
  }
}
