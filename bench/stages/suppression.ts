// Suppression of a million candidates of one object, 60 Å.
import { type ParticlePick, suppressNearby } from 'cryoet-picks';
import { measure } from '../measure.ts';
import { doubles } from './files.ts';

const rows = doubles('points.f64');
const picks = Array.from({ length: rows.length / 4 }, (_, i): ParticlePick => {
  const position = { x: rows[4 * i]!, y: rows[4 * i + 1]!, z: rows[4 * i + 2]! };
  return { object: 'ribosome', position, score: rows[4 * i + 3]! };
});

await measure('suppressNearby', () => suppressNearby(picks, { minDistance: 60 }).length);
