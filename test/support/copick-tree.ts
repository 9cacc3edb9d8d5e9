import { type Problem, type ProjectConfig, parseConfig, projectFromStores } from '../../src/entry/copick.ts';
import { memoryStore, type Project, type Store, type StoreKey } from '../../src/entry/index.ts';

/** Files of a tree by path; what is no text is written as JSON. */
export type Tree = Readonly<Record<StoreKey, unknown>>;

/** A store in memory that holds a tree. */
export function storeOf(tree: Tree, location = 'memory'): Store {
  const encoder = new TextEncoder();
  const entries = Object.entries(tree).map(([key, content]) => {
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    return [key as StoreKey, content instanceof Uint8Array ? content : encoder.encode(text)] as const;
  });
  return { ...memoryStore(entries), location };
}

/** A config of three particles. */
export const config: ProjectConfig = parseConfig(
  JSON.stringify({
    pickable_objects: ['ribosome', 'virus', 'apo-ferritin'].map((name, i) => ({
      name,
      is_particle: true,
      label: i + 1,
    })),
    overlay_root: 'overlay',
  }),
  { source: 'copick.json' },
);

/** A project over trees in memory, with the problems it tells. */
export function projectOf(trees: { overlay?: Tree | Store; static?: Tree | Store }): {
  project: Project;
  told: Problem[];
  overlay: Store;
} {
  const told: Problem[] = [];
  const overlay = toStore(trees.overlay ?? {}, 'overlay');
  const project = projectFromStores({
    config,
    overlay,
    static: trees.static && toStore(trees.static, 'static'),
    source: 'copick.json',
    onProblem: (problem) => told.push(problem),
  });
  return { project, told, overlay };
}

function toStore(tree: Tree | Store, location: string): Store {
  return isStore(tree) ? tree : storeOf(tree, location);
}

function isStore(tree: Tree | Store): tree is Store {
  return 'getRange' in tree;
}

/** A store in which calls on some paths fail, as disks and networks do. */
export function failingStore(
  store: Store,
  fails: (call: 'get' | 'list' | 'set', key: StoreKey, count: number) => boolean,
): Store {
  let count = 0;
  const check = (call: 'get' | 'list' | 'set', key: StoreKey) => {
    if (fails(call, key, count++)) throw new Error(`disk on fire at ${key}`);
  };
  return {
    ...store,
    async get(key, options) {
      check('get', key);
      return store.get(key, options);
    },
    async list(key, options) {
      check('list', key);
      return store.list(key, options);
    },
    async set(key, value, options) {
      check('set', key);
      return store.set(key, value, options);
    },
  };
}

/** A picks file's JSON with picks at these x, in Å. */
export function picksJson(object: string, xs: readonly number[], fields: object = {}): object {
  return {
    pickable_object_name: object,
    user_id: 'curation',
    session_id: '0',
    points: xs.map((x) => ({ location: { x, y: 0, z: 0 } })),
    ...fields,
  };
}
