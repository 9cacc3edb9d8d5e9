import { execFileSync } from 'node:child_process';

/**
 * The Python to test Zarr v3 with: `CRYOET_PICKS_ZARR3_PYTHON`. test/fixtures/requirements-copick2.txt names what it needs:
 * zarr-python 3, and copick 2 for the tests that open a project.
 */
const python = process.env.CRYOET_PICKS_ZARR3_PYTHON;

/** What a call of that Python prints. */
export function runPython3(...args: string[]): string {
  return execFileSync(python!, ['-W', 'ignore', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 2 ** 28,
  });
}

/** Whether there is no such Python, or it lacks zarr-python 3. */
export const zarrPython3Missing: boolean = !imports('import zarr; assert int(zarr.__version__.split(".")[0]) >= 3');

/** Whether it lacks copick 2. */
export const copick2Missing: boolean = !imports('import copick; assert int(copick.__version__.split(".")[0]) >= 2');

function imports(program: string): boolean {
  if (!python) return false;
  try {
    runPython3('-c', program);
    return true;
  } catch {
    return false;
  }
}
