/** What a page is given to show: the content of `session.json`, which `cryoet-picks view` serves beside it. Addresses are relative to the page. */
export interface ViewSession {
  /** Of this format. */
  readonly version: 1;
  /** Of the package. */
  readonly packageVersion: string;
  /** What was opened, for people: `demo/project/copick.json`. */
  readonly title: string;
  /** Where it lies, whatever it was called: an absolute path, or its address. Absent in an export. */
  readonly id?: string | undefined;
  readonly open: OpenedProject | OpenedVolumes | OpenedArchive | { readonly kind: 'nothing' };
  /** Whether picks can be written. */
  readonly writable: boolean;
  /** The user and session that a person's picks are to be saved as, fit for copick. */
  readonly userId: string;
  readonly sessionId: string;
  /** The modules of onnxruntime-web; absent if it is not installed. */
  readonly runtime?: ViewRuntime | undefined;
  /** The command that installs it. */
  readonly install: string;
  /** The network of the package, and its card. */
  readonly model: { readonly network: string; readonly card: string };
  /** Whether the page lies in files that `view --export` wrote: nothing can be written then. */
  readonly isExport: boolean;
}

/** The modules of an installed onnxruntime-web. */
export interface ViewRuntime {
  readonly version: string;
  /** The module that computes in WebAssembly alone. */
  readonly wasm: string;
  /** The module that has WebGPU, too. */
  readonly webgpu: string;
}

/** A copick project. */
export interface OpenedProject {
  readonly kind: 'project';
  /** A copick config of the type `filesystem`, whatever the type of the project is, without its roots and options. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Address of the store to read and, where the session is `writable`, to write. */
  readonly overlay?: string | undefined;
  /** Address of the store that is only read; absent where the project has a single root. */
  readonly static?: string | undefined;
}

/** Volumes that belong to no project: each is a run of its own. */
export interface OpenedVolumes {
  readonly kind: 'volumes';
  readonly volumes: readonly OpenedVolume[];
}

/** A zip file of a project or of volumes, which the page reads by itself; nothing can be written into it. */
export interface OpenedArchive {
  readonly kind: 'archive';
  /** Address of its store. */
  readonly store: string;
  /** Its key there. */
  readonly key: string;
}

/** A volume on its own. */
export interface OpenedVolume {
  /** Its path in the folder that was opened. */
  readonly name: string;
  /** How to read it: a folder, a zip of one, or one file. */
  readonly format: 'ome-zarr' | 'zip' | 'mrc' | 'tiff';
  /** Address of its store. */
  readonly store: string;
  /** Its key there; `/` for a folder. */
  readonly key: string;
  /** In Å, if it does not say its own. */
  readonly voxelSize?: number | undefined;
}
