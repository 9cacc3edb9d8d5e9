import type { AuthoredIdentity } from './authored.ts';

/** What the head of a copick file of picks or filaments tells. */
export interface FileHead extends AuthoredIdentity {
  readonly runName?: string | undefined;
  readonly voxelSpacing?: number | undefined;
}

/** The head that copick's files of picks and filaments share, key by key in its order. */
export function headOf(file: FileHead): Readonly<Record<string, unknown>> {
  return {
    pickable_object_name: file.object,
    user_id: file.userId,
    session_id: file.sessionId,
    run_name: file.runName ?? null,
    voxel_spacing: file.voxelSpacing ?? null,
    unit: 'angstrom',
  };
}
