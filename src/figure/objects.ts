import type { PickableObject } from '../copick/config.ts';
import { competition } from '../metric/competition.ts';
import type { FigureObject } from './figure.ts';

/** What copick gives objects without a colour; on grey it cannot be seen. */
const colorless = '100,100,100';

/** Radius to draw where a config has none, in Å. */
const defaultRadius = 75;

const spare = Object.values(competition.objects).map(({ color }) => color);
const byName: ReadonlyMap<string, { readonly color: readonly number[] }> = new Map(Object.entries(competition.objects));

/** How the particles of a project are drawn: in their own colours, or in colours of this package where they have none. */
export function figureObjects(objects: readonly PickableObject[]): FigureObject[] {
  return objects
    .filter(({ isParticle }) => isParticle)
    .map(({ name, color, radius }, index) => {
      const own = color.slice(0, 3).join() === colorless ? undefined : color;
      return {
        name,
        color: own ?? byName.get(name)?.color ?? spare[index % spare.length],
        radius: radius !== undefined && radius > 0 ? radius : defaultRadius,
      };
    });
}
