import type { FormatName } from '../picks/formats/names.ts';

/** What a file of a format needs and holds. */
export interface FormatNeeds {
  /** End of the names of its files. */
  readonly extension: string;
  /** What of the tomogram has to be known to write it. */
  readonly tomogram?: 'voxelSize' | 'voxelSizeAndShape' | undefined;
  /** True where a file holds one run. */
  readonly oneRun?: true | undefined;
  /** True where a file holds one object. */
  readonly oneObject?: true | undefined;
}

const oneTable = { tomogram: 'voxelSize' } as const;

/** By format. `relion4` counts in pixels of the tilt series, which no tomogram tells. */
export const formatNeeds: Readonly<Record<FormatName, FormatNeeds>> = {
  csv: { extension: 'csv' },
  submission: { extension: 'csv' },
  copick: { extension: 'json', oneRun: true, oneObject: true },
  relion3: { ...oneTable, extension: 'star' },
  relion4: { extension: 'star' },
  relion5: { extension: 'star', tomogram: 'voxelSizeAndShape' },
  dynamo: { ...oneTable, extension: 'tbl' },
  stopgap: { ...oneTable, extension: 'star' },
  tom: { ...oneTable, extension: 'em' },
  imod: { ...oneTable, extension: 'mod', oneRun: true },
  eman2: { extension: 'json', tomogram: 'voxelSizeAndShape', oneRun: true },
  ndjson: { ...oneTable, extension: 'ndjson', oneRun: true, oneObject: true },
  napari: { ...oneTable, extension: 'csv' },
  cmm: { extension: 'cmm' },
  points: { ...oneTable, extension: 'csv', oneRun: true, oneObject: true },
};
