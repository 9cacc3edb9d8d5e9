import { existsSync } from 'node:fs';

const places = [process.env.FIREFOX_PATH, '/usr/bin/firefox-esr', '/usr/bin/firefox'];

/** A Firefox to test in, or `undefined`; `FIREFOX_PATH` names another one. */
export const firefoxPath: string | undefined = places.find((path) => path !== undefined && existsSync(path));
