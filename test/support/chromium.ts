import { existsSync } from 'node:fs';

const places = [process.env.CHROMIUM_PATH, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** A Chromium to test in, or `undefined`; `CHROMIUM_PATH` names another one. */
export const chromiumPath: string | undefined = places.find((path) => path !== undefined && existsSync(path));
