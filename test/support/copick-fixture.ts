import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Folder of the project that the released copick made; see test/fixtures/make_copick_project.py. */
export const copickFixture: string = fileURLToPath(new URL('../fixtures/copick/', import.meta.url));

export interface ExpectedPicks {
  readonly object: string;
  readonly userId: string;
  readonly sessionId: string;
  readonly root: 'static' | 'overlay';
  readonly positions: readonly (readonly [number, number, number])[];
  readonly rotations: readonly (readonly (readonly number[])[])[];
  readonly scores: readonly number[];
  readonly instanceIds: readonly number[];
}

interface Expected {
  readonly runs: Readonly<
    Record<
      string,
      {
        /** Type, spacing, shape, sum of the voxels. */
        readonly tomograms: readonly (readonly [string, number, readonly number[], number])[];
        /** Name, user, session, spacing, multilabel, sum of the voxels. */
        readonly segmentations: readonly (readonly [string, string, string, number, boolean, number])[];
        readonly picks: readonly ExpectedPicks[];
      }
    >
  >;
  /** Voxel spacings with Python's three-decimal label. */
  readonly spacings: readonly (readonly [number, string])[];
  readonly names: {
    /** Names with what copick makes of them, null where it refuses. */
    readonly vectors: readonly (readonly [string, string | null])[];
    /** Every code unit, of all but the surrogates, that copick replaces. */
    readonly replaced: readonly number[];
  };
}

/** What the released copick reads from the fixture, and the names it makes. */
export const expectedByCopick: Expected = JSON.parse(
  readFileSync(fileURLToPath(new URL('../fixtures/copick-expected.json', import.meta.url)), 'utf8'),
);
