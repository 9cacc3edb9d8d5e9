// Type-checked as a page's program: entries that run in browsers.

import { detectParticles, httpStore, type Model, openTomogram, type ParticlePick } from 'cryoet-picks';
import { parseConfig } from 'cryoet-picks/copick';
import { picksFormat } from 'cryoet-picks/formats';
import { blobReader, openMrc } from 'cryoet-picks/io';

export async function pickInPage(url: string, model: Model): Promise<ParticlePick[]> {
  return detectParticles(await openTomogram(httpStore(url)), { model });
}

/** One value of each entry that the program above does not use. */
export const entries: readonly unknown[] = [blobReader, openMrc, parseConfig, picksFormat];
