/** What a bucket of {@link s3Server} holds, and how it behaves. */
export interface S3Server {
  /** Asks as `fetch` does. */
  readonly fetch: (url: string, init?: RequestInit) => Promise<Response>;
  /** All URLs that were asked for. */
  readonly requests: string[];
}

export interface S3ServerOptions {
  /** Where the bucket is, without a slash at the end. */
  readonly endpoint: string;
  readonly values: Readonly<Record<string, string | Uint8Array>>;
  /** Keys and prefixes of one page. */
  readonly pageSize?: number | undefined;
  /** Pass over `encoding-type`, as some servers do. */
  readonly plainKeys?: boolean | undefined;
}

/** A bucket that answers as S3's documentation says: ListObjectsV2 with pages, and values with ranges. */
export function s3Server({ endpoint, values, pageSize = 1000, plainKeys = false }: S3ServerOptions): S3Server {
  const requests: string[] = [];
  const answer = (url: string, init: RequestInit = {}): Response => {
    requests.push(url);
    init.signal?.throwIfAborted();
    const [address, query = ''] = url.split('?') as [string, string?];
    if (!address.startsWith(`${endpoint}/`)) return s3Error(404, 'NoSuchBucket');
    const key = decodeURIComponent(address.slice(endpoint.length + 1));
    if (key === '') return list(values, query, { pageSize, plainKeys });
    const value = Object.hasOwn(values, key) ? values[key] : undefined;
    if (value === undefined) return s3Error(404, 'NoSuchKey');
    return part(typeof value === 'string' ? new TextEncoder().encode(value) : value, new Headers(init.headers));
  };
  return { requests, fetch: async (url, init) => answer(url, init) };
}

function part(bytes: Uint8Array, headers: Headers): Response {
  const range = /^bytes=(\d*)-(\d*)$/.exec(headers.get('range') ?? '');
  if (range === null) return new Response(bytes as BlobPart & Uint8Array<ArrayBuffer>);
  const [, first, last] = range;
  const start = first ? Number(first) : Math.max(0, bytes.length - Number(last));
  if (start >= bytes.length) {
    return s3Error(416, 'InvalidRange', `<ActualObjectSize>${bytes.length}</ActualObjectSize>`);
  }
  const end = first && last ? Math.min(bytes.length, Number(last) + 1) : bytes.length;
  return new Response(bytes.slice(start, end) as BlobPart & Uint8Array<ArrayBuffer>, {
    status: 206,
    headers: { 'Content-Range': `bytes ${start}-${end - 1}/${bytes.length}` },
  });
}

/** An error as S3 writes it. */
export function s3Error(status: number, code: string, extra = '', headers: Record<string, string> = {}): Response {
  return new Response(`<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code>${extra}</Error>`, {
    status,
    headers: { 'content-type': 'application/xml', ...headers },
  });
}

function list(
  values: S3ServerOptions['values'],
  query: string,
  { pageSize, plainKeys }: { readonly pageSize: number; readonly plainKeys: boolean },
): Response {
  const asked = new URLSearchParams(query);
  if (asked.get('list-type') !== '2') return s3Error(400, 'InvalidArgument');
  const prefix = asked.get('prefix') ?? '';
  const delimiter = asked.get('delimiter') ?? '';
  const entries = new Map<string, 'key' | 'prefix'>();
  for (const key of Object.keys(values).filter((one) => one.startsWith(prefix))) {
    const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
    if (cut < 0) entries.set(key, 'key');
    else entries.set(key.slice(0, cut + delimiter.length), 'prefix');
  }
  const all = [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  const start = Number(asked.get('continuation-token')?.slice('token/+ '.length) ?? 0);
  const page = all.slice(start, start + pageSize);
  const isLast = start + pageSize >= all.length;
  const encoded = asked.get('encoding-type') === 'url' && !plainKeys;
  const text = (key: string) =>
    escapeXml(encoded ? encodeURIComponent(key).replaceAll('%20', '+').replaceAll('%2F', '/') : key);
  return new Response(
    [
      '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">',
      `<Name>b</Name><Prefix>${text(prefix)}</Prefix><KeyCount>${page.length}</KeyCount><IsTruncated>${!isLast}</IsTruncated>`,
      encoded ? '<EncodingType>url</EncodingType>' : '',
      isLast ? '' : `<NextContinuationToken>token/+ ${start + pageSize}</NextContinuationToken>`,
      ...page.map(([key, kind]) =>
        kind === 'key'
          ? `<Contents><Key>${text(key)}</Key><Size>1</Size></Contents>`
          : `<CommonPrefixes><Prefix>${text(key)}</Prefix></CommonPrefixes>`,
      ),
      '</ListBucketResult>',
    ].join(''),
    { headers: { 'content-type': 'application/xml' } },
  );
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
