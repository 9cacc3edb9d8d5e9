/**
 * Gaussians on a lattice that fill an ellipsoid of these half axes (Å) with this density: x, y, z and weight of one after the
 * other.
 */
export function solidBeads(
  [a, b, c]: readonly [number, number, number],
  { sigma, density }: { readonly sigma: number; readonly density: number },
): Float64Array {
  const step = (4 / 3) * sigma;
  // A lattice of Gaussians one per step³ adds up to weight · (√(2π) σ / step)³.
  const weight = density * (step / (Math.sqrt(2 * Math.PI) * sigma)) ** 3;
  const beads: number[] = [];
  const reach = Math.ceil(Math.max(a, b, c) / step);
  for (let i = -reach; i <= reach; i++) {
    for (let j = -reach; j <= reach; j++) {
      for (let k = -reach; k <= reach; k++) {
        const [x, y, z] = [i * step, j * step, k * step];
        if ((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2 <= 1) beads.push(x, y, z, weight);
      }
    }
  }
  return Float64Array.from(beads);
}
