import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { optional, positiveLength, type Rule, requireOptions, text } from '../core/arguments.ts';
import { CryoetPicksError } from '../core/errors.ts';
import { decodeText } from '../core/json.ts';
import { groupByRun } from '../picks/pick.ts';
import { requireOption } from './file-context.ts';
import { checkedFormat, noSteps, type PicksFormat } from './format.ts';
import {
  type CheckedPick,
  eachInPieces,
  instanceIn,
  linesOf,
  numberIn,
  pickFrom,
  picksToWrite,
  scoreIn,
} from './pick-fields.ts';

/** Options of {@link cmmFormat}. */
export interface CmmFormatOptions {
  /** Run of marker sets without an attribute `run`. */
  readonly run?: string | undefined;
  /** Object of marker sets without a name. */
  readonly object?: string | undefined;
  /**
   * Radius of the written markers, in Å: one number, or one per object.
   * @defaultValue 50
   */
  readonly radius?: number | ((object: string) => number) | undefined;
}

const cmmRadius: Rule = {
  expected: 'a positive length in Å, or a function of the object that gives one',
  isValid: (value) => typeof value === 'function' || positiveLength.isValid(value),
};

type Attributes = Readonly<Record<string, string | undefined>>;
interface MarkerSet {
  readonly attributes: Attributes;
  readonly markers: readonly Attributes[];
}

const code = 'invalid-picks';
const name = 'ChimeraX markers';

/**
 * Markers of Chimera and ChimeraX (`.cmm`, XML), in Å: a marker set per run and object, named after the object.
 *
 * Picks are read set by set, from at most 64 MiB (2²⁶ bytes), some 500,000 markers: XML is parsed in one piece. Run, score and instance id are attributes that ChimeraX ignores. ChimeraX measures coordinates from
 * the origin of the map, which is the centre of voxel 0 for a map without a stated origin.
 *
 * @example
 * ```ts
 * const text = formatPicks(runs, { format: cmmFormat({ radius: 65 }) });
 * ```
 */
export function cmmFormat(options: CmmFormatOptions = {}): PicksFormat {
  requireOptions('cmmFormat', options, { run: optional(text), object: optional(text), radius: optional(cmmRadius) });
  return checkedFormat({
    name,
    content: 'text',
    losses: [{ part: 'orientation', what: 'markers have no orientation' }],
    parse(content, source) {
      requireReadable(content, source);
      const decoded = { what: source, code, path: source, keepsMark: true } as const;
      const text = typeof content === 'string' ? content : decodeText(content, decoded);
      return noSteps(groupByRun(rowsOf(markerSets(text, source), source, options)));
    },
    *format(runs) {
      const sets = new Map<string, CheckedPick[]>();
      yield* eachInPieces((yield* picksToWrite(runs)).each(), (checked) => {
        const key = JSON.stringify([checked.run, checked.pick.object]);
        const set = sets.get(key);
        if (set === undefined) sets.set(key, [checked]);
        else set.push(checked);
      });
      yield '<?xml version="1.0" encoding="UTF-8"?>\n<marker_sets>\n';
      for (const picks of sets.values()) yield* formatSet(picks, options);
      yield '</marker_sets>\n';
    },
  });
}

/** Characters or bytes of XML at most: some 500,000 markers, which take 7 seconds. */
const MAX_XML = 2 ** 26;

/** @throws {@link CryoetPicksError} `unsupported` for XML that would block the event loop too long, since it is parsed in one piece. */
function requireReadable({ length }: string | Uint8Array, source: string): void {
  if (length <= MAX_XML) return;
  const megabytes = (value: number) => `${Math.ceil(value / 2 ** 20)} MiB`;
  throw new CryoetPicksError(
    'unsupported',
    `${source}: ${megabytes(length)} of XML; marker files are read in one piece, ${megabytes(MAX_XML)} at most: ` +
      'split it into files of fewer markers, or use CSV',
    { path: source },
  );
}

function* formatSet(picks: readonly CheckedPick[], { radius = 50 }: CmmFormatOptions): Generator<string, void> {
  const { run, pick } = picks[0]!;
  const size = typeof radius === 'number' ? radius : radius(pick.object);
  yield `<marker_set${attributes({ name: pick.object, run })}>\n`;
  yield* linesOf(picks, ({ pick: { position, score, instanceId } }, index) => {
    const { x, y, z } = position;
    const known = instanceId === undefined ? { score } : { score, instance_id: instanceId };
    return `<marker${attributes({ id: index + 1, x, y, z, r: 1, g: 1, b: 0, radius: size, ...known })}/>\n`;
  });
  yield '</marker_set>\n';
}

function attributes(values: Readonly<Record<string, string | number | bigint>>): string {
  return Object.entries(values)
    .map(([key, value]) => ` ${key}="${escaped(String(typeof value === 'number' ? value + 0 : value))}"`)
    .join('');
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escaped(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 cannot hold them
  if (/[\u0000-\u001f\ud800-\udfff\ufffe\uffff]/.test(text.replace(/[\ud800-\udbff][\udc00-\udfff]/g, ''))) {
    throw new CryoetPicksError(code, `XML cannot contain the name ${JSON.stringify(text)}`);
  }
  return text.replace(/[&<>"]/g, (mark) => entities[mark]!);
}

const isSet = (tag: string) => tag === 'marker_set' || tag === 'marker';
const parser = {
  ignoreAttributes: false,
  attributeNamePrefix: '',
  attributesGroupName: 'attributes',
  parseAttributeValue: false,
  trimValues: false,
  isArray: isSet,
};

interface Node {
  readonly attributes?: Attributes | undefined;
  readonly marker?: readonly Node[] | undefined;
  readonly marker_set?: readonly Node[] | undefined;
}

function markerSets(text: string, source: string): MarkerSet[] {
  // Markers need no entities beyond XML's own; custom ones could expand without bound.
  if (/<!DOCTYPE/i.test(text)) {
    throw new CryoetPicksError(code, `${source}: XML with a DOCTYPE, which marker files must not have`);
  }
  const valid = XMLValidator.validate(text);
  if (valid !== true) {
    throw new CryoetPicksError(code, `${source}, line ${valid.err.line}: no XML: ${valid.err.msg}`);
  }
  const root = parse(text, source) as { readonly marker_sets?: Node | string; readonly marker_set?: readonly Node[] };
  // An element without children is its text.
  const { marker_sets: all, marker_set: alone } = root;
  const sets = typeof all === 'string' ? [] : (all?.marker_set ?? alone);
  if (sets === undefined) {
    throw new CryoetPicksError(
      code,
      `${source}: expected a marker_set, found ${Object.keys(root).join(', ') || 'nothing'}`,
    );
  }
  return sets.map((set) => ({
    attributes: set.attributes ?? {},
    markers: (set.marker ?? []).map((marker) => marker.attributes ?? {}),
  }));
}

function parse(text: string, source: string): object {
  try {
    return new XMLParser(parser).parse(text) as object;
  } catch (cause) {
    throw new CryoetPicksError(code, `${source}: not valid XML: ${(cause as Error).message}`, { cause });
  }
}

function rowsOf(sets: readonly MarkerSet[], source: string, options: CmmFormatOptions) {
  return sets.flatMap(({ attributes: ofSet, markers }, setIndex) => {
    const place = `${source}, marker set ${setIndex + 1}`;
    if (markers.length === 0) return [];
    const run = requireOption(ofSet.run ?? options.run, { name: 'run', place });
    const object = requireOption(ofSet.name || options.object, { name: 'object', place });
    return markers.map((marker, index) => {
      const at = `${place}, marker ${index + 1}`;
      const number = (key: string) => numberIn(marker[key], { what: key, place: at });
      const position = { x: number('x'), y: number('y'), z: number('z') };
      const score = scoreIn(marker.score, { what: 'score', place: at });
      const instance = instanceIn(marker.instance_id, { what: 'instance_id', place: at });
      return { run, pick: pickFrom({ object, position, score, instance }, at) };
    });
  });
}
