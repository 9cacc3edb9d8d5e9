import { CryoetPicksError } from '../core/errors.ts';

/**
 * An address for messages: without a user and a query string, which may be secrets. Paths stay as they are, and so do the keys of
 * `s3://` addresses, which have no query string.
 */
export function withoutSecrets(address: string): string {
  if (!address.includes('://')) return address;
  const anonymous = address.replace(/:\/\/[^/@]*@/, '://');
  return /^s3a?:/i.test(anonymous) ? anonymous : anonymous.replace(/[?#].*$/s, '');
}

/**
 * The folder of a file on the web, with the query of its address, which may be a signature, and the name of the file.
 *
 * @throws {@link CryoetPicksError} `invalid-option` if the name is not encoded as addresses are.
 */
export function folderAndName(file: URL): { readonly folder: URL; readonly name: string } {
  const folder = new URL(file);
  folder.hash = '';
  folder.pathname = file.pathname.replace(/[^/]*$/, '');
  const encoded = file.pathname.slice(folder.pathname.length);
  try {
    return { folder, name: decodeURIComponent(encoded) };
  } catch (cause) {
    const found = `${JSON.stringify(encoded)} in ${withoutSecrets(file.href)} is not percent-encoded UTF-8`;
    throw new CryoetPicksError('invalid-option', `${found}; a percent sign in a name is written %25`, { cause });
  }
}

/** A segment of a URL's path without percent encoding; as it is if it is not encoded correctly. */
export function decodedSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
