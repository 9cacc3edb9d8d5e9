import type { Model } from 'cryoet-picks';

/** A model for volumes that were normalised before they were cut out of something larger: it normalises no more. */
export function forNormalized(model: Model): Model {
  return { ...model, spec: { ...model.spec, normalization: 'none' } };
}
