import type { Model } from 'cryoet-picks';

/** The same model without normalisation, for volumes that were normalised before they were cropped. */
export function forNormalized(model: Model): Model {
  return { ...model, spec: { ...model.spec, normalization: 'none' } };
}
