import { defineConfig } from 'vite';

// These two headers isolate the page, so that WebAssembly may compute in threads. Your server must send them, too.
const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

export default defineConfig({
  server: { headers },
  preview: { headers },
  worker: { format: 'es' }, // the workers of cryoet-picks are modules
});
