import { CryoetPicksError } from '../errors.ts';
import type { AuthoredIdentity } from './authored.ts';
import { pythonNumber, type UriSyntax } from './uri-match.ts';

/** What a URI of picks, filaments or meshes asks for: `object:user/session`. Each part is a pattern. */
export interface AuthoredUri {
  readonly syntax: UriSyntax;
  readonly object: string;
  readonly userId: string;
  readonly sessionId: string;
}

/** What a URI of segmentations asks for: `name:user/session@spacing?multilabel=true`. */
export interface SegmentationUri {
  readonly syntax: UriSyntax;
  readonly name: string;
  readonly userId: string;
  readonly sessionId: string;
  readonly voxelSpacing: string;
  /** Absent where the URI does not say. If it says nothing of `instance` and `panoptic`, it asks for neither. */
  readonly multilabel?: boolean | undefined;
  readonly instance?: boolean | undefined;
  readonly panoptic?: boolean | undefined;
}

/** What a URI of tomograms asks for: `type@spacing`. */
export interface TomogramUri {
  readonly syntax: UriSyntax;
  readonly type: string;
  readonly voxelSpacing: string;
}

/** What a URI of features asks for: `type@spacing:feature`. */
export interface FeaturesUri extends TomogramUri {
  readonly featureType: string;
}

/** What a URI asks for, by kind of thing. */
export interface Uris {
  readonly picks: AuthoredUri;
  readonly filaments: AuthoredUri;
  readonly mesh: AuthoredUri;
  readonly segmentation: SegmentationUri;
  readonly tomogram: TomogramUri;
  readonly features: FeaturesUri;
}

/** A kind of thing that URIs ask for. The URI itself does not tell it. */
export type UriKind = keyof Uris;

const flags = ['multilabel', 'instance', 'panoptic'] as const;

/**
 * Reads a copick URI of a kind of thing. Parts that are missing become `*`.
 *
 * Parts are globs as of Python's `fnmatch`; after `re:`, regular expressions that match from the start. As in copick, the text
 * ends at the first `?`, where the flags of segmentations begin, so that `?` is never a wildcard, and `:`, `/` and `@` always part.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for a URI with more parts than its kind has, or of two types of segmentation.
 * @example
 * ```ts
 * parseUri('picks', 'ribosome:*\/0'); // { syntax: 'glob', object: 'ribosome', userId: '*', sessionId: '0' }
 * ```
 */
export function parseUri<K extends UriKind>(kind: K, text: string): Uris[K];
export function parseUri(kind: UriKind, text: string): Uris[UriKind] {
  const trimmed = text.trim();
  const syntax: UriSyntax = trimmed.startsWith('re:') ? 'regex' : 'glob';
  const [main, query] = splitOnce(syntax === 'regex' ? trimmed.slice(3) : trimmed, '?');
  const [before, after] = splitOnce(main, '@');
  if (kind === 'tomogram') return { syntax, type: before, voxelSpacing: after ?? '*' };
  if (kind === 'features') {
    const [voxelSpacing, featureType = '*'] = splitOnce(after ?? '*', ':');
    return { syntax, type: before, voxelSpacing, featureType };
  }
  if (kind !== 'segmentation') {
    const [object, userId, sessionId] = authored(main, kind);
    return { syntax, object, userId, sessionId };
  }
  const [name, userId, sessionId] = authored(before, kind);
  return { syntax, name, userId, sessionId, voxelSpacing: after ?? '*', ...segmentationFlags(query, text) };
}

/** The text up to a mark, and, if it is there, what follows it. */
export function splitOnce(text: string, mark: string): readonly [string, string | undefined] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + mark.length)];
}

function authored(text: string, kind: UriKind): [name: string, userId: string, sessionId: string] {
  const [name, rest = '*', ...others] = text.split(':');
  if (others.length > 0) {
    throw new CryoetPicksError('invalid-option', `"${text}" is no URI of ${kind}: it has more than one ":"`);
  }
  const [userId, sessionId = '*'] = splitOnce(rest, '/');
  return [name!, userId, sessionId];
}

/** The type flags of a segmentation as a query states them. @throws `invalid-option` for more than one that is true. */
export function segmentationFlags(
  query: string | undefined,
  text: string,
): Pick<SegmentationUri, (typeof flags)[number]> {
  // A leading "?" of the query itself would be dropped.
  const values = new URLSearchParams(`&${query ?? ''}`);
  const told = flags.flatMap((flag) => {
    const [value, ...others] = values.getAll(flag).filter((one) => one !== '');
    if (value === undefined) return [];
    return [[flag, others.length === 0 && ['true', '1', 'yes'].includes(value.toLowerCase())] as const];
  });
  if (told.filter(([, value]) => value).length > 1) {
    throw new CryoetPicksError('invalid-option', `"${text}" asks for two types of segmentation; one has one type`);
  }
  return Object.fromEntries(told);
}

/** What a URI can be made of, by kind: the entries that are found are such things. */
export interface UriParts {
  readonly picks: AuthoredIdentity;
  readonly filaments: AuthoredIdentity;
  readonly mesh: AuthoredIdentity;
  readonly segmentation: Omit<AuthoredIdentity, 'object'> & {
    readonly name: string;
    readonly voxelSpacing: number;
    /** @defaultValue 'binary' */
    readonly kind?: 'binary' | 'multilabel' | 'instance' | 'panoptic' | undefined;
  };
  readonly tomogram: { readonly type: string; readonly voxelSpacing: number };
  readonly features: UriParts['tomogram'] & { readonly featureType: string };
}

/**
 * Writes the URI of a thing, as copick does: voxel spacings as `10.0`. A `[` in a name, which a glob would read as a set, becomes
 * `[[]`, so that the URI finds the thing again.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for a name that no URI can hold, since one of its marks is in it; copick's own
 *   names have none.
 * @example
 * ```ts
 * formatUri('segmentation', segmentation); // 'membrane:me/1@10.0'
 * ```
 */
export function formatUri<K extends UriKind>(kind: K, parts: UriParts[K]): string;
export function formatUri(kind: UriKind, parts: UriParts[UriKind]): string {
  const isTomogram = kind === 'tomogram' || kind === 'features';
  const uri = isTomogram ? ofTomogram(parts as UriParts['features']) : ofAuthored(parts as AuthoredIdentity);
  return uri.startsWith('re:') ? uri.replace('re:', '[r]e:') : uri;
}

function ofTomogram(parts: UriParts['tomogram'] | UriParts['features']): string {
  const uri = `${part(parts.type, '@')}@${pythonNumber(parts.voxelSpacing)}`;
  return 'featureType' in parts ? `${uri}:${part(parts.featureType)}` : uri;
}

function ofAuthored(parts: AuthoredIdentity | UriParts['segmentation']): string {
  const marks = 'name' in parts ? '@' : '';
  const name = part('name' in parts ? parts.name : parts.object, `:${marks}`);
  const uri = `${name}:${part(parts.userId, `:/${marks}`)}/${part(parts.sessionId, `:${marks}`)}`;
  if (!('name' in parts)) return uri;
  const { voxelSpacing, kind = 'binary' } = parts;
  return `${uri}@${pythonNumber(voxelSpacing)}${kind === 'binary' ? '' : `?${kind}=true`}`;
}

/** A name as part of a URI, in which the given marks, and `?`, would end it. */
function part(name: string, marks = ''): string {
  const found = [...`?${marks}`].find((mark) => name.includes(mark));
  if (found === undefined && name === name.trim() && name !== '') return name.replaceAll('[', '[[]');
  const reason = found === undefined ? 'it begins or ends with a space, or is empty' : `"${found}" is in it`;
  throw new CryoetPicksError('invalid-option', `no URI can hold the name ${JSON.stringify(name)}: ${reason}`);
}
