/** Names of all formats. */
export const formatNames = [
  'csv',
  'submission',
  'copick',
  'relion3',
  'relion4',
  'relion5',
  'dynamo',
  'stopgap',
  'tom',
  'imod',
  'eman2',
  'ndjson',
  'napari',
  'cmm',
  'points',
] as const;

/** Name of a format. */
export type FormatName = (typeof formatNames)[number];
