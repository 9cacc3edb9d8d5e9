// These two headers isolate the page, so that WebAssembly may compute in threads.
const headers = [
  { key: 'Cross-Origin-Opener-Policy', value: 'same-origin' },
  { key: 'Cross-Origin-Embedder-Policy', value: 'require-corp' },
];

/** @type {import('next').NextConfig} */
export default { headers: async () => [{ source: '/:path*', headers }] };
