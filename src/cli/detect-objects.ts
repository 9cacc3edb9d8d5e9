import type { PickableObject } from '../copick/config.ts';
import { listNames } from '../copick/problems.ts';
import type { ModelSpec } from '../inference/model.ts';
import { UsageError } from './failure.ts';
import type { Terminal } from './terminal.ts';

/** Objects of a project, and the model that shall find them. */
export interface ObjectsOfModel {
  readonly objects: readonly PickableObject[];
  readonly spec: ModelSpec;
}

/** Warns, in one line, of particles of the project that the model does not know, where it knows others. */
export function warnOfUnsearched(terminal: Terminal, { objects, spec }: ObjectsOfModel): void {
  const classes = spec.classes.filter((name) => name !== null);
  const particles = objects.filter(({ isParticle }) => isParticle).map(({ name }) => name);
  const unsearched = particles.filter((name) => !classes.includes(name));
  // Where the model knows none of them, the search refuses.
  if (unsearched.length === 0 || unsearched.length === particles.length) return;
  const unused = classes.filter((name) => !particles.includes(name));
  const others = unused.length === 0 ? '' : `; of its classes, the project has no particle ${listNames(unused)}`;
  terminal.warn(
    `cryoet-picks: not searched, since model "${spec.name}" has no such class: ${listNames(unsearched)}${others}`,
  );
}

/**
 * Refuses thresholds beyond what probabilities can be.
 *
 * @throws {@link UsageError} naming the first.
 */
export function requireProbabilities(
  thresholds: Readonly<Record<string, number>>,
  { name: model, activation }: ModelSpec,
): void {
  if (activation === 'none') return;
  const beyond = Object.entries(thresholds).find(([, value]) => !(value >= 0 && value <= 1));
  if (beyond === undefined) return;
  throw new UsageError(
    `--threshold ${beyond.join('=')}: the scores of model "${model}" are probabilities (${activation}), from 0 to 1`,
  );
}
