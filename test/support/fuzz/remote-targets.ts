import { configure, Uint8ArrayReader, Uint8ArrayWriter, ZipWriter } from '@zip.js/zip.js';
import { parseCroissant, parseTable, type TableName } from '../../../src/copick/croissant/metadata.ts';
import { askGraphql } from '../../../src/copick/portal/graphql.ts';
import { parsePortalPoints } from '../../../src/copick/portal-points.ts';
import { parseUri, type UriKind } from '../../../src/entry/copick.ts';
import { s3Store, zipStore } from '../../../src/entry/io.ts';
import { bytesReader } from '../../../src/storage/random-access.ts';
import { filesIn } from './corpus.ts';
import type { Target } from './targets.ts';

const encoder = new TextEncoder();
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const textTarget = (
  name: string,
  inputs: readonly string[],
  run: (content: string, item: number) => unknown,
): Target => ({
  name,
  kind: 'text',
  corpus: async () => inputs.map((input) => encoder.encode(input)),
  run: async (bytes, item) => run(text(bytes), item),
});

const tables: readonly (readonly [TableName, string])[] = [
  [
    'picks',
    'run,user_id,session_id,object_name,url,sha256\nTS_1,me,1,ribosome,ExperimentRuns/TS_1/Picks/me_1_ribosome.json,\n',
  ],
  ['tomograms', 'run,voxel_size,tomo_type,url\nTS_1,10.0,wbp,ExperimentRuns/TS_1/VoxelSpacing10.000/wbp.zarr\n'],
  [
    'segmentations',
    'run,voxel_size,user_id,session_id,name,is_multilabel,url\nTS_1,10,me,1,x,True,https://example.org/x.zarr\n',
  ],
];

const uris: readonly (readonly [UriKind, string])[] = [
  ['picks', 'ribosome:me/1'],
  ['segmentation', 'membrane:me/*@10.0?multilabel=true'],
  ['tomogram', 'wbp@10.0'],
  ['features', 'wbp@10.0:sobel'],
];

const listing = `<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<Name>bucket</Name><Prefix>a/</Prefix><KeyCount>2</KeyCount><IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>
<Contents><Key>a/x%20y.json</Key><Size>3</Size></Contents>
<CommonPrefixes><Prefix>a/folder/</Prefix></CommonPrefixes>
</ListBucketResult>
`;

async function zipped(level: number): Promise<Uint8Array> {
  configure({ useWebWorkers: false });
  const writer = new ZipWriter(new Uint8ArrayWriter(), { level });
  await writer.add('a/.zattrs', new Uint8ArrayReader(encoder.encode('{}')));
  await writer.add('a/0/0', new Uint8ArrayReader(new Uint8Array(300).fill(7)));
  return writer.close();
}

/** The parsers of what servers answer, and of what lies on them. */
export const remoteTargets: readonly Target[] = [
  {
    name: 'croissant-json',
    kind: 'json',
    corpus: async () => filesIn('croissant', /^Croissant\/metadata\.json$|\/croissant\.json$|metadata\.json$/),
    run: async (bytes) => parseCroissant(text(bytes), { source: 'fuzz' }),
  },
  textTarget(
    'croissant-csv',
    tables.map(([, table]) => table),
    (content, item) => {
      for (const row of parseTable(tables[item]![0], content)) {
        row.length('voxel_size');
        row.flag('is_multilabel');
      }
    },
  ),
  textTarget(
    'portal-points',
    [
      '{"type": "point", "location": {"x": 1, "y": 2.5, "z": 3}}\n{"type": "point", "location": {"x": 4, "y": 5, "z": 6}}\n',
      '{"type": "orientedPoint", "location": {"x": 1, "y": 2, "z": 3}, "xyz_rotation_matrix": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}\n',
    ],
    (content) => parsePortalPoints(content, { source: 'fuzz' }),
  ),
  textTarget(
    'uri',
    uris.map(([, uri]) => uri),
    (content, item) => parseUri(uris[item]![0], content),
  ),
  {
    name: 'graphql',
    kind: 'json',
    corpus: async () => [
      encoder.encode('{"data": {"runs": [{"id": 1, "name": "TS_1"}]}}'),
      encoder.encode('{"errors": [{"message": "no", "path": ["runs"], "extensions": {"code": "X"}}], "data": null}'),
    ],
    run: async (bytes) =>
      askGraphql(
        {
          endpoint: 'https://example.org/graphql',
          fetch: async () => new Response(bytes.slice()),
          headers: {},
          timeout: 10_000,
          maxBytes: 2 ** 20,
        },
        { document: '{runs{id}}', variables: {}, attempts: 1, signal: undefined },
      ),
  },
  {
    name: 's3-listing',
    kind: 'text',
    corpus: async () => [encoder.encode(listing)],
    run: async (bytes) => {
      const store = s3Store('s3://bucket/a', { region: 'us-west-2', fetch: async () => new Response(bytes.slice()) });
      const entries = await store.list('/');
      const bad = entries.find(({ name }) => /^(\.{1,2})?$|[/\0]/.test(name));
      if (bad) throw new Error(`lists ${JSON.stringify(bad.name)}`);
    },
  },
  {
    name: 'zip',
    kind: 'bytes',
    corpus: () => Promise.all([zipped(0), zipped(6)]),
    async run(bytes) {
      const store = zipStore(bytesReader(bytes));
      await store.list('/');
      await store.get('/.zattrs');
      await store.get('/0/0');
      await store.getRange('/0/0', { offset: 10, length: 20 });
    },
  },
];
