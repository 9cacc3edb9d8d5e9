/**
 * An address for messages: without a user and a query string, which may be secrets. Paths stay as they are, and so do the keys of
 * `s3://` addresses, which have no query string.
 */
export function withoutSecrets(address: string): string {
  if (!address.includes('://')) return address;
  const anonymous = address.replace(/:\/\/[^/@]*@/, '://');
  return /^s3a?:/i.test(anonymous) ? anonymous : anonymous.replace(/[?#].*$/s, '');
}

/** A segment of a URL's path without percent encoding; as it is if it is not encoded correctly. */
export function decodedSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
