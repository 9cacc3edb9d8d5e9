// Loaded into a process, it makes each file that is put in its place take a moment, so that a kill comes in the middle of the work.

import files from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { setTimeout as delay } from 'node:timers/promises';

for (const name of ['link', 'rename']) {
  const original = files[name];
  files[name] = async (...paths) => {
    await delay(300);
    return original(...paths);
  };
}
syncBuiltinESMExports();
