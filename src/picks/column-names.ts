/** What columns of tables hold beside coordinates, whatever their names. */
export type ColumnRole = 'score' | 'object' | 'run' | 'instance';

/** Names of such columns, as lower-case words joined by `_`. */
const known: Readonly<Record<ColumnRole, ReadonlySet<string>>> = {
  score: /* @__PURE__ */ new Set(
    (
      'score scores cc ccc ncc lcc lccmax lcc_max fom figure_of_merit autopick_figure_of_merit ' +
      'conf confidence prob probability correlation cross_correlation'
    ).split(' '),
  ),
  object: /* @__PURE__ */ new Set(
    'object object_name pickable_object pickable_object_name particle_type class_name species protein'.split(' '),
  ),
  run: /* @__PURE__ */ new Set(
    (
      'run run_name experiment tomo tomo_name tomogram tomogram_name micrograph micrograph_name ' +
      'tilt_series tilt_series_name ts ts_name'
    ).split(' '),
  ),
  instance: /* @__PURE__ */ new Set('id ids instance instance_id filament_id helical_tube_id'.split(' ')),
};

/** The words of a name, in lower case: `rlnCoordinateX`, `Center X`, `x_coord` and `coordx` have two or three. */
export function wordsOf(column: string): string[] {
  return column
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\d]+/u)
    .flatMap(
      (word) => /^(coord|pos|center|centre)([xyz])$|^([xyz])(coord|pos|center|centre)$/.exec(word)?.slice(1) ?? word,
    )
    .filter(Boolean);
}

/** What a column holds, by its name. */
export function roleOf(column: string): ColumnRole | undefined {
  const words = wordsOf(column).filter((word) => word !== 'rln');
  const keys = [words.join('_'), column.toLowerCase().replace(/^_?rln_?/, '')];
  return (Object.keys(known) as ColumnRole[]).find((role) => keys.some((key) => known[role].has(key)));
}

/** Which column {@link columnFor} looks for. */
export interface ColumnForOptions {
  /** The name that the format itself has for it. */
  readonly own: string;
  readonly role: ColumnRole;
}

/** The column of a role: the one with the format's own name, otherwise the first whose name is known; undefined if no column has it. */
export function columnFor(header: readonly string[], { own, role }: ColumnForOptions): string | undefined {
  return header.includes(own) ? own : header.find((name) => roleOf(name) === role);
}
