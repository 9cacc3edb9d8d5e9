/** A name for each channel that has one, by index. */
export type ChannelNames = readonly (string | undefined)[];

/**
 * The names of an image's channels: those that copick gives the channels of a panoptic segmentation
 * (`multiscales[0].metadata.copick.channels`), else the labels for viewers (`omero.channels[].label`).
 *
 * What is no name is passed over: nothing depends on names.
 */
export function readChannelNames(attributes: unknown): ChannelNames {
  const multiscales = at(attributes, 'multiscales', 0);
  const copick = namesIn(at(multiscales, 'metadata', 'copick', 'channels'));
  if (copick.some((name) => name !== undefined)) return copick;
  const omero = at(attributes, 'omero', 'channels');
  return Array.isArray(omero) ? namesIn(omero.map((channel) => at(channel, 'label'))) : [];
}

function namesIn(list: unknown): ChannelNames {
  return Array.isArray(list) ? list.map((name) => (typeof name === 'string' && name !== '' ? name : undefined)) : [];
}

function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Record<string | number, unknown>)[key];
  }
  return found;
}
