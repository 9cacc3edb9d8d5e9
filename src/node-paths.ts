import { realpath, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The scheme of a root or address, in lower case; undefined for a plain path, a drive letter of Windows included. */
export function schemeOf(address: string): string | undefined {
  return /^([a-z][a-z0-9+.-]+)(?:::|:\/\/)/i.exec(address)?.[1]?.toLowerCase();
}

/** Whether an address is a path of this computer: plain, `local://` or `file://`. */
export function isLocalAddress(address: string): boolean {
  const scheme = schemeOf(address);
  return scheme === undefined || scheme === 'local' || scheme === 'file';
}

/**
 * The paths that an address may stand for, likeliest first. Copick takes what follows `file://` as it is; a proper file URL has
 * it percent-encoded, so both are candidates. `~` is the home folder.
 */
export function localPaths(address: string): string[] {
  const plain = address.replace(/^(?:local|file):\/\//i, '').replace(/^~(?=$|[/\\])/, homedir());
  // `file:///C:/data` on Windows, where copick too drops the slash.
  const asIs = process.platform === 'win32' ? plain.replace(/^\/(?=[a-z]:)/i, '') : plain;
  if (!/^file:\/\/.*%[0-9a-f]{2}|^file:\/\/localhost\//is.test(address)) return [asIs];
  return [asIs, ...decoded(address, asIs)];
}

function decoded(address: string, plain: string): string[] {
  try {
    if (/^file:\/\/(?:localhost)?\//i.test(address)) return [fileURLToPath(address)];
    return [decodeURIComponent(plain)];
  } catch {
    return [];
  }
}

/** A path that was looked for. */
export interface FoundPath {
  /** Links resolved where it exists, so that the same place has one path. */
  readonly path: string;
  readonly exists: boolean;
}

/** Options of {@link findLocal}. */
export interface FindLocalOptions {
  /** Path of the config file that holds the address. */
  readonly config: string;
  readonly kind: 'file' | 'folder';
}

/** Looks for a local file or folder beside the config first, then in the working directory, where alone copick looks. */
export async function findLocal(address: string, { config, kind }: FindLocalOptions): Promise<FoundPath> {
  const paths = localPaths(address);
  for (const folder of [dirname(config), '.']) {
    for (const path of paths) {
      const candidate = resolve(folder, path);
      const found = await stat(candidate).catch(() => undefined);
      if (kind === 'folder' ? found?.isDirectory() : found?.isFile()) {
        return { path: await realpath(candidate), exists: true };
      }
    }
  }
  return { path: resolve(dirname(config), paths[0]!), exists: false };
}
