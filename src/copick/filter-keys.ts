import { CryoetPicksError } from '../errors.ts';
import { showJson } from '../show-json.ts';

const waiting: readonly string[] = ['includeShadowed', 'signal'];
const authored: readonly string[] = ['object', 'userId', 'sessionId', ...waiting];

type Listing = 'runs' | 'picks' | 'meshes' | 'filaments' | 'tomograms' | 'features' | 'segmentations';

/** What each listing can be asked for. */
const known: Readonly<Record<Listing, readonly string[]>> = {
  runs: ['split', 'signal'],
  picks: authored,
  meshes: authored,
  filaments: authored,
  tomograms: ['type', 'voxelSpacing', ...waiting],
  features: ['type', 'featureType', 'voxelSpacing', ...waiting],
  segmentations: ['name', 'userId', 'sessionId', 'voxelSpacing', 'kind', 'multilabel', ...waiting],
};

const kinds: readonly unknown[] = ['binary', 'multilabel', 'instance', 'panoptic'];

/**
 * Lets a filter pass that asks for what there is to ask for. Another would ask nothing, and all would be found.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for what is no object, has an unknown key, or names an unknown kind.
 */
export function checkFilter<T extends object>(what: Listing, filter: T): T {
  const keys = known[what];
  if (typeof filter !== 'object' || filter === null || Array.isArray(filter)) {
    const example = `{ ${keys[0]}: ${typeof filter === 'string' ? showJson(filter) : '…'} }`;
    throw invalid(`${what} are asked for by an object such as ${example}, found ${showJson(filter)}`);
  }
  const unknown = Object.keys(filter).find((key) => !keys.includes(key));
  if (unknown !== undefined) {
    const inCamelCase = unknown.replace(/_+([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const hint = keys.includes(inCamelCase) ? `did you mean ${inCamelCase}? ` : '';
    throw invalid(`${what} cannot be asked for by ${showJson(unknown)}; ${hint}known are ${keys.join(', ')}`);
  }
  const { kind } = filter as { readonly kind?: unknown };
  const stranger = kind === undefined ? undefined : [kind].flat().find((one) => !kinds.includes(one));
  if (stranger !== undefined) throw invalid(`kind is ${showJson(stranger)}, expected ${kinds.join(', ')}`);
  return filter;
}

function invalid(message: string): CryoetPicksError {
  return new CryoetPicksError('invalid-option', message);
}
