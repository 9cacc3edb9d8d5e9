import { execFileSync } from 'node:child_process';

/** The Python to test with: `CRYOET_PICKS_PYTHON`, else `PYTHON`, else `python3`. */
export const python: string = process.env.CRYOET_PICKS_PYTHON || process.env.PYTHON || 'python3';

/** What a call of that Python prints. */
export function runPython(...args: string[]): string {
  return execFileSync(python, ['-W', 'ignore', ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

/**
 * Whether that Python lacks zarr. 2.18 is what copick 1 writes with, 3 does as well;
 * test/fixtures/requirements-parity.txt names versions that are known to work.
 */
export const zarrPythonMissing: boolean = !hasZarr();

function hasZarr(): boolean {
  try {
    runPython('-c', 'import zarr, numcodecs');
    return true;
  } catch {
    return false;
  }
}
