import { execFileSync } from 'node:child_process';

const {
  CRYOET_PICKS_PYTHON,
  PYTHON,
  CRYOET_PICKS_COPICK_PYTHON,
  CRYOET_PICKS_COPICK2_PYTHON,
  CRYOET_PICKS_ZARR3_PYTHON,
  CRYOET_PICKS_ONNX_PYTHON,
} = process.env;
const python = CRYOET_PICKS_PYTHON || PYTHON || 'python3';

/** What a test may need of a Python, as `CRYOET_PICKS_REQUIRE` calls it. */
export type PythonName =
  | 'mrcfile'
  | 'picks-readers'
  | 'zarr-python'
  | 'copick-1'
  | 'copick'
  | 'copick2'
  | 'zarr3'
  | 'zarr-python-3'
  | 'copick-2'
  | 'onnxruntime';

interface NeededPython {
  /** Empty or undefined where no variable names one. */
  readonly command: string | undefined;
  /** Its packages, each with the first and the last major version that will do. */
  readonly packages: Readonly<Record<string, readonly [first: number, last: number]>>;
}

const any = [0, Number.POSITIVE_INFINITY] as const;

/**
 * The Pythons that tests run; CI makes them of test/fixtures/requirements-parity.txt (copick 1, and readers of MRC and
 * picks) and requirements-parity-2.txt (copick 2, zarr-python 3, onnxruntime).
 */
const pythons: Readonly<Record<PythonName, NeededPython>> = {
  mrcfile: { command: python, packages: { mrcfile: any } },
  'picks-readers': {
    command: python,
    packages: {
      ...{ copick: any, starfile: any, emfile: any, dynamotable: any, imodmodel: any, tifffile: any },
      ...{ eulerangles: any, scipy: any },
    },
  },
  'zarr-python': { command: python, packages: { zarr: any, numcodecs: any } },
  'copick-1': { command: python, packages: { copick: [1, 1] } },
  copick: { command: CRYOET_PICKS_COPICK_PYTHON, packages: { copick: any, zarr: any } },
  copick2: { command: CRYOET_PICKS_COPICK2_PYTHON, packages: { copick: any, zarr: any } },
  zarr3: { command: CRYOET_PICKS_ZARR3_PYTHON, packages: { zarr: any } },
  'zarr-python-3': { command: CRYOET_PICKS_ZARR3_PYTHON, packages: { zarr: [3, Number.POSITIVE_INFINITY] } },
  'copick-2': { command: CRYOET_PICKS_ZARR3_PYTHON, packages: { copick: [2, Number.POSITIVE_INFINITY] } },
  onnxruntime: { command: CRYOET_PICKS_ONNX_PYTHON, packages: { onnxruntime: any, numpy: any } },
};

export const pythonNames: readonly PythonName[] = Object.keys(pythons) as PythonName[];

/** Whether a Python, or a package of it, is not there. */
export function pythonMissing(name: PythonName): boolean {
  const { command, packages } = pythons[name];
  const versions = command ? versionsIn(command) : {};
  // Of an absent package NaN, which no range holds.
  const majorOf = (name: string) => Number.parseInt(versions[name] ?? '', 10);
  return !Object.entries(packages).every(([one, [first, last]]) => majorOf(one) >= first && majorOf(one) <= last);
}

/** What a call of a Python prints. */
export function runPython(name: PythonName, ...args: readonly string[]): string {
  return execFileSync(pythons[name].command!, ['-W', 'ignore', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 2 ** 28,
  });
}

const asked = new Map<string, Readonly<Record<string, string>>>();

/** The packages of a Python, and their versions; none if it does not run. Importing them to ask would take seconds. */
function versionsIn(command: string): Readonly<Record<string, string>> {
  const known = asked.get(command);
  if (known) return known;
  const tell =
    'import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))';
  let versions: Readonly<Record<string, string>> = {};
  try {
    versions = JSON.parse(
      execFileSync(command, ['-c', tell], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
    );
  } catch {
    // It is not there.
  }
  asked.set(command, versions);
  return versions;
}
