import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseConfig, projectFromStores } from '../../src/entry/copick.ts';
import type { Project } from '../../src/entry/index.ts';
import { directoryStore } from '../../src/entry/node.ts';
import type { JsonCurve } from './copick-vectors.ts';

/** Folder of the project of every entity that the released copick made; see test/fixtures/make_copick_entities.py. */
export const entitiesFixture: string = fileURLToPath(new URL('../fixtures/copick-entities/', import.meta.url));

/** Opens the fixture over its folders, which are only read. */
export function openEntities(folder: string = entitiesFixture): Project {
  const path = `${folder}/copick.json`;
  return projectFromStores({
    config: parseConfig(readFileSync(path, 'utf8'), { source: path }),
    overlay: directoryStore(`${folder}/overlay`, { readOnly: true }),
    static: directoryStore(`${folder}/static`, { readOnly: true }),
    source: path,
  });
}

/** Whose it is, and in which tree. */
export interface ExpectedAuthored {
  readonly object: string;
  readonly userId: string;
  readonly sessionId: string;
  readonly root: 'static' | 'overlay';
}

/** An array by its shape, its sum and the SHA-256 of its bytes. */
export interface ExpectedArray {
  readonly shape: readonly number[];
  readonly sum: number;
  readonly sha: string;
}

type Triple = readonly [number, number, number];

export interface ExpectedFilament {
  readonly instanceId: number | bigint;
  readonly points: readonly Triple[];
  readonly polarityKnown: boolean;
  readonly score: number;
  readonly radius: number | null;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly curve: (JsonCurve & Readonly<Record<string, unknown>>) | null;
  readonly curveIsCurrent: boolean;
}

export interface ExpectedRun {
  readonly voxelSpacings: readonly number[];
  readonly tomograms: readonly {
    readonly type: string;
    readonly voxelSpacing: number;
    readonly root: string;
    readonly levels: readonly ExpectedArray[];
  }[];
  readonly features: readonly {
    readonly type: string;
    readonly voxelSpacing: number;
    readonly featureType: string;
    readonly root: string;
    readonly values: ExpectedArray;
  }[];
  readonly picks: readonly (ExpectedAuthored & {
    readonly positions: readonly Triple[];
    readonly rotations: readonly (readonly Triple[])[];
    readonly scores: readonly number[];
    readonly instanceIds: readonly number[];
    readonly trustOrientation: boolean;
  })[];
  readonly segmentations: readonly {
    readonly name: string;
    readonly userId: string;
    readonly sessionId: string;
    readonly voxelSpacing: number;
    readonly kind: 'binary' | 'multilabel' | 'instance' | 'panoptic';
    readonly root: string;
    readonly values: ExpectedArray;
  }[];
  readonly meshes: readonly (ExpectedAuthored & {
    readonly sha: string;
    readonly parts: readonly { readonly vertices: ExpectedArray; readonly faces: number }[];
  })[];
  readonly filaments: readonly (ExpectedAuthored & {
    readonly voxelSpacing: number | null;
    readonly version: number;
    readonly filaments: readonly ExpectedFilament[];
  })[];
}

/** An object as copick reads it: the keys of the config, its filament declaration, and its density map. */
export type ExpectedObject = Readonly<Record<string, unknown>> & {
  readonly name: string;
  readonly filament: Readonly<Record<string, unknown>> | null;
  readonly map: { readonly voxelSize: number; readonly values: ExpectedArray } | null;
};

/** What `test/fixtures/read_with_copick.py` tells of a project. */
export interface ExpectedProject {
  readonly objects: readonly ExpectedObject[];
  readonly runs: Readonly<Record<string, ExpectedRun>>;
}

/** What the released copick reads in the fixture, and which entities it finds there by which URI. */
export const expectedEntities: ExpectedProject & {
  /** Kind, URI, and run, URI and tree of what it finds. */
  readonly found: readonly (readonly [string, string, readonly (readonly [string, string, string])[]])[];
} = JSON.parse(
  readFileSync(fileURLToPath(new URL('../fixtures/copick-entities-expected.json', import.meta.url)), 'utf8'),
);
