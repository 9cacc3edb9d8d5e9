import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/** Every file, folder and link below a folder, with its bytes by their hash. */
export async function treeOf(folder: string): Promise<Map<string, string>> {
  const tree = new Map<string, string>();
  const visit = async (path: string) => {
    for (const name of (await readdir(join(folder, path))).sort()) {
      const below = path === '' ? name : `${path}/${name}`;
      const whole = join(folder, below);
      const stats = await lstat(whole);
      if (stats.isSymbolicLink()) tree.set(below, `link to ${await readlink(whole)}`);
      else if (stats.isDirectory()) {
        const { size } = tree;
        await visit(below);
        if (tree.size === size) tree.set(below, 'empty folder');
      } else tree.set(below, await hashOf(whole));
    }
  };
  await visit('');
  return tree;
}

/** The SHA-256 of a file. */
export async function hashOf(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}

/** Where two trees differ, a line each, but for the records of failures, which count attempts. */
export function differences(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>, when: string): string[] {
  const paths = [...new Set([...a.keys(), ...b.keys()])].filter(
    (path) => a.get(path) !== b.get(path) && !path.startsWith('.cryoet-picks/failures/'),
  );
  return paths.map((path) => `${path} differs ${when}: ${a.get(path) ?? 'absent'}, then ${b.get(path) ?? 'absent'}`);
}
