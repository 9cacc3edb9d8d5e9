import { resolve } from 'node:path';

export default {
  mode: 'production',
  entry: './src/main.js',
  output: { path: resolve('public/bundle'), publicPath: '/bundle/', filename: 'main.js', module: true, clean: true },
  experiments: { outputModule: true },
  performance: { hints: false },
};
