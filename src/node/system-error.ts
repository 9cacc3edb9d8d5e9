/** The reasons of a file system in words, by its codes. */
export const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space is left on the device',
  EDQUOT: 'the disk quota is used up',
  ENOENT: 'no such file or folder',
  EISDIR: 'it is a folder, expected a file',
  ENOTDIR: 'a file is in the way where a folder is needed',
  EEXIST: 'a file is in the way where a folder is needed',
  ENAMETOOLONG: 'the name is too long',
  ENXIO: 'it is a socket, or a device that is not there',
  ELOOP: 'its links lead in a circle',
  EMFILE: 'too many files are open',
};

/** The code of an error of the file system, such as `ENOENT`. */
export function errnoOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

/** An error of the file system in words and with its code; any other by its message. */
export function describeSystemError(error: unknown): string {
  const code = errnoOf(error);
  if (code !== undefined && Object.hasOwn(REASONS, code)) return `${REASONS[code]} (${code})`;
  return error instanceof Error ? error.message : String(error);
}
