import { execFileSync } from 'node:child_process';
import { python } from './zarr-python.ts';

/** What a test may need of a Python, as `CRYOET_PICKS_REQUIRE` calls it. */
export type PythonName = 'mrcfile' | 'picks-readers' | 'copick' | 'copick2' | 'zarr3';

interface NeededPython {
  /** Undefined where no variable names one. */
  readonly command: string | undefined;
  readonly modules: readonly string[];
}

/**
 * The Pythons that tests run; CI makes them of test/fixtures/requirements-parity.txt (copick 1, and readers of MRC and
 * picks) and requirements-parity-2.txt (copick 2, zarr-python 3).
 */
export const pythons: Readonly<Record<PythonName, NeededPython>> = {
  mrcfile: { command: python, modules: ['mrcfile'] },
  'picks-readers': {
    command: python,
    modules: ['copick', 'starfile', 'emfile', 'dynamotable', 'imodmodel', 'tifffile'],
  },
  copick: { command: process.env.CRYOET_PICKS_COPICK_PYTHON || undefined, modules: ['copick', 'zarr'] },
  copick2: { command: process.env.CRYOET_PICKS_COPICK2_PYTHON || undefined, modules: ['copick', 'zarr'] },
  zarr3: { command: process.env.CRYOET_PICKS_ZARR3_PYTHON || undefined, modules: ['zarr'] },
};

/** Whether a Python, or a module of it, is not there. */
export function pythonMissing(name: PythonName): boolean {
  const { command, modules } = pythons[name];
  if (command === undefined) return true;
  const search = `import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, ${JSON.stringify(modules)})))`;
  try {
    execFileSync(command, ['-c', search], { stdio: 'ignore' });
    return false;
  } catch {
    return true;
  }
}
