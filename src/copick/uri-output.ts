import { isCryoetPicksError } from '../errors.ts';
import { parseUri, type SegmentationUri, segmentationFlags, splitOnce, type UriKind } from './uri.ts';

/** Kinds that a conversion leads from and to. */
export type ConvertedKind = Exclude<UriKind, 'tomogram' | 'features'>;

/** Options of {@link expandOutputUri}. */
export interface ExpandOutputUriOptions {
  /** URI of what is converted, and its kind. */
  readonly input: string;
  readonly inputKind: ConvertedKind;
  /** Kind of what is made. */
  readonly kind: ConvertedKind;
  /** The user where the URI names none. @defaultValue 'converter' */
  readonly command?: string | undefined;
  /** True where each instance of the input gets an output of its own. @defaultValue false */
  readonly individual?: boolean | undefined;
}

/**
 * Completes the shorthand of an output URI from that of the input, as copick's commands do: a missing name is the input's; a
 * missing user the command's; a missing session `{instance_id}` for individual outputs, `{input_session_id}` for an input with
 * patterns, else `converted-001`; a missing spacing and type of segmentation the input's. `/session` and `name/session` leave out the
 * user. What is complete stays as it is.
 *
 * @throws {@link CryoetPicksError} `invalid-option` for an input that is no URI, or two types of segmentation.
 * @example
 * ```ts
 * expandOutputUri('membrane', { input: 'ribosome:me/1', inputKind: 'picks', kind: 'mesh', command: 'hull' });
 * // 'membrane:hull/converted-001'
 * ```
 */
export function expandOutputUri(output: string, options: ExpandOutputUriOptions): string {
  const { inputKind, kind, command, individual = false } = options;
  const input = partsOf(inputKind, options.input);
  if (isComplete(output, kind)) return output;
  const given = shorthand(output, kind);
  const name = given.name || input.name;
  const session = individual ? '{instance_id}' : hasPattern(input) ? '{input_session_id}' : 'converted-001';
  const uri = `${name}:${given.userId || command || 'converter'}/${given.sessionId || session}`;
  if (kind !== 'segmentation') return uri;
  const inherited = input.voxelSpacing === '*' ? undefined : input.voxelSpacing;
  const voxelSpacing = given.voxelSpacing || inherited;
  const { multilabel, instance, panoptic } = given.saysType ? given : input;
  const types = Object.entries({ multilabel, instance, panoptic }).filter(([, value]) => value);
  return `${uri}${voxelSpacing ? `@${voxelSpacing}` : ''}${types.map(([type]) => `?${type}=true`).join('')}`;
}

/** The parts of a URI of any of the kinds, under one name each. */
type Parts = Partial<SegmentationUri> & Pick<SegmentationUri, 'syntax' | 'name' | 'userId' | 'sessionId'>;

function partsOf(kind: ConvertedKind, text: string): Parts {
  if (kind === 'segmentation') return parseUri('segmentation', text);
  const { object, ...rest } = parseUri(kind, text);
  return { ...rest, name: object };
}

function isComplete(output: string, kind: ConvertedKind): boolean {
  try {
    const { name, userId, sessionId, voxelSpacing } = partsOf(kind, output);
    return [name, userId, sessionId, voxelSpacing].every((part) => part !== '*');
  } catch (error) {
    if (!isCryoetPicksError(error, 'invalid-option')) throw error;
    return false;
  }
}

function hasPattern({ syntax, name, userId, sessionId }: Parts): boolean {
  return syntax === 'regex' || [name, userId, sessionId].some((part) => part.includes('*'));
}

type Shorthand = Partial<Parts> & { readonly saysType: boolean };

function shorthand(output: string, kind: ConvertedKind): Shorthand {
  const [text, query] = splitOnce(output, '?');
  const types = segmentationFlags(query, output);
  const at = kind === 'segmentation' ? text.lastIndexOf('@') : -1;
  const voxelSpacing = at < 0 ? undefined : text.slice(at + 1);
  const main = at < 0 ? text : text.slice(0, at);
  return { ...namesIn(main), voxelSpacing: voxelSpacing ?? '', ...types, saysType: Object.keys(types).length > 0 };
}

function namesIn(text: string): Partial<Parts> {
  const placeholder = text.trim();
  if (placeholder === '{input_session_id}' || placeholder === '{instance_id}') return { sessionId: placeholder };
  const [name, by] = splitOnce(text, ':');
  const [first, session] = splitOnce(by ?? text, '/');
  if (by !== undefined) return { name, userId: first, sessionId: session ?? '' };
  return session === undefined ? { name: text } : { name: first, sessionId: session };
}
