import * as v from 'valibot';
import type { StoreOptions } from '../../storage/store.ts';
import { fitName } from '../names.ts';
import type { PickableObject } from '../pickable-object.ts';
import { type Identified, runTable, type Table } from './queries.ts';
import { fetchRows, fetchRowsByRun } from './rows.ts';
import { type PortalStoreOptions, serverOf } from './store.ts';

/** Options of {@link portalObjects}. */
export interface PortalObjectsOptions extends Omit<PortalStoreOptions, 'objects' | 'instancePoints'>, StoreOptions {}

/** A shape of an annotation, with what it is a shape of. */
interface ShapeRow extends Identified {
  readonly shapeType: string;
  readonly annotation: {
    readonly objectId: string;
    readonly objectName: string;
    readonly annotationPublication?: string | null | undefined;
  };
}

const shapeTable: Table<ShapeRow> = {
  root: 'annotationShapes',
  type: 'AnnotationShape',
  fields: 'id shapeType annotation { objectId objectName annotationPublication }',
  row: v.looseObject({
    id: v.number(),
    shapeType: v.string(),
    annotation: v.looseObject({
      objectId: v.string(),
      objectName: v.string(),
      annotationPublication: v.nullish(v.string()),
    }),
  }),
};

/**
 * The objects that datasets of the portal have annotations of, ready for {@link openPortal}: one per object id, by that id.
 *
 * As in copick, points make a particle, names are in lower case and fit for file names, publications give the ids of EMDB and
 * PDB, and the radius is 50 Å, which knows nothing of the object: set your own. Labels count from 1. Unlike in copick, the order
 * and the colours are the same each time, the first publication that has an id counts, and a second object of one name gets its
 * id appended.
 *
 * @throws {@link CryoetPicksError} as reads of {@link portalStore} do.
 * @example
 * ```ts
 * const objects = await portalObjects({ datasetIds: [10440] });
 * const { project } = openPortal({ datasetIds: [10440], objects });
 * ```
 */
export async function portalObjects(options: PortalObjectsOptions): Promise<PickableObject[]> {
  const { datasetIds, signal } = options;
  const server = serverOf(options);
  if (datasetIds.length === 0) return [];
  const runs = await fetchRows(server, { table: runTable, where: { datasetId: { _in: datasetIds } }, signal });
  const runIds = runs.map(({ id }) => id);
  const where = (ids: readonly number[]) => ({ annotation: { runId: { _in: ids } } });
  const shapes = new Map<string, ShapeRow[]>();
  for (let start = 0; start < runIds.length; start += 50) {
    const some = runIds.slice(start, start + 50);
    for (const row of await fetchRowsByRun(server, { table: shapeTable, runIds: some, where, signal })) {
      const { objectId } = row.annotation;
      shapes.set(objectId, [...(shapes.get(objectId) ?? []), row]);
    }
  }
  return toObjects(shapes);
}

function toObjects(shapes: ReadonlyMap<string, readonly ShapeRow[]>): PickableObject[] {
  const taken = new Set<string>();
  return [...shapes]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([identifier, rows], index) => {
      const plain = fitName(rows[0]?.annotation.objectName.toLowerCase() ?? '') ?? `object-${index + 1}`;
      const name = taken.has(plain) ? (fitName(`${plain}-${identifier}`) ?? plain) : plain;
      taken.add(name);
      const publications = rows.flatMap(({ annotation }) => annotation.annotationPublication?.split(',') ?? []);
      const published = (database: string) =>
        publications.map((one) => one.trim()).find((one) => one.startsWith(database));
      const emdbId = published('EMD');
      const pdbId = published('PDB') ?? /^PDB-([0-9a-z]{4,8})$/i.exec(identifier)?.[1];
      return {
        ...{ name, identifier, label: index + 1, radius: 50, metadata: {} },
        isParticle: rows.some(({ shapeType }) => shapeType === 'Point' || shapeType === 'OrientedPoint'),
        color: colorOf(index),
        ...(emdbId === undefined ? {} : { emdbId }),
        ...(pdbId === undefined ? {} : { pdbId }),
      };
    });
}

/** Colours of hues a golden ratio of the circle apart: any few in a row are far from each other. */
function colorOf(index: number): readonly [number, number, number, number] {
  const hue = (index * 0.618034) % 1;
  const channel = (shift: number) => {
    const distance = Math.abs(((((hue + shift) % 1) + 1) % 1) - 0.5) * 6 - 1;
    return Math.round(55 + 200 * Math.min(1, Math.max(0, distance)));
  };
  return [channel(0), channel(2 / 3), channel(1 / 3), 255];
}
