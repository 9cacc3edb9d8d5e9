import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folder of the project that the released copick exported as a Croissant; see test/fixtures/make_croissant.py. */
export const croissantFixture: string = fileURLToPath(new URL('../fixtures/croissant/', import.meta.url));

interface ExpectedPicks {
  readonly object: string;
  readonly userId: string;
  readonly sessionId: string;
  readonly positions: readonly (readonly [number, number, number])[];
  readonly rotations: readonly (readonly (readonly number[])[])[];
  readonly scores: readonly number[];
  readonly instanceIds: readonly number[];
  readonly trustOrientation: boolean;
}

interface Expected {
  readonly config: {
    readonly name: string;
    readonly description: string;
    readonly user_id: string;
    readonly session_id: null;
  };
  /** Name, is a particle, label, radius, sum of the density map. */
  readonly objects: readonly (readonly [string, boolean, number, number | null, number | null])[];
  readonly splits: Readonly<Record<string, readonly string[]>>;
  readonly runs: Readonly<
    Record<
      string,
      {
        readonly split: string | null;
        readonly voxelSpacings: readonly number[];
        /** Type, spacing, shape, sum of the voxels. */
        readonly tomograms: readonly (readonly [string, number, readonly number[], number])[];
        /** Type of the tomogram, type of the features, spacing. */
        readonly features: readonly (readonly [string, string, number])[];
        /** Name, user, session, spacing, kind, sum of the voxels. */
        readonly segmentations: readonly (readonly [string, string, string, number, string, number])[];
        /** Object, user, session, number of geometries. */
        readonly meshes: readonly (readonly [string, string, string, number])[];
        readonly picks: readonly ExpectedPicks[];
      }
    >
  >;
}

/** What the released copick reads through the Croissant. */
export const expectedOfCroissant: Expected = JSON.parse(
  readFileSync(fileURLToPath(new URL('../fixtures/croissant-expected.json', import.meta.url)), 'utf8'),
);

/** A web server that gives the files of a folder, and no listing of its folders, as static hosts are. */
export interface FileServer {
  /** URL of the folder, without a slash at the end. */
  readonly url: string;
  /** Paths that were asked for, decoded. */
  readonly requests: string[];
  readonly close: () => void;
}

/** Serves a folder by plain HTTP. */
export async function serveFiles(folder: string): Promise<FileServer> {
  const requests: string[] = [];
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent((request.url ?? '').split('?')[0]!);
    requests.push(path);
    // Folders are refused, as reading one fails.
    const bytes = await readFile(join(folder, path)).catch(() => undefined);
    if (bytes === undefined) return response.writeHead(404).end('not found');
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    if (from === undefined) return response.writeHead(200).end(bytes);
    const end = Math.min(bytes.length, Number(to) + 1);
    const label = { 'Content-Range': `bytes ${from}-${end - 1}/${bytes.length}` };
    return response.writeHead(206, label).end(bytes.subarray(Number(from), end));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, close };
}
