import { formatPicksFile } from '../../copick/format-picks.ts';
import { parsePicksFile } from '../../copick/picks.ts';
import type { RunPicks } from '../run-picks.ts';
import { checkedPicks, onlyObject, onlyRun } from './checked.ts';
import type { PicksFormat } from './format.ts';
import { needName } from './needed-name.ts';

/** Options of {@link copickFormat}. */
export interface CopickFormatOptions {
  /** Run of a file that names none; copick knows it by the folder. */
  readonly run?: string | undefined;
  /** Object of a file that names none, and of one that is written without picks. */
  readonly object?: string | undefined;
  /** @defaultValue `'cryoet-picks'` */
  readonly userId?: string | undefined;
  /** @defaultValue `'0'`, made by a tool */
  readonly sessionId?: string | undefined;
}

const name = 'copick JSON';

/**
 * A picks file of copick: the picks of one object in one run, in Å, with all they have.
 *
 * For a whole project use `openProject`; this is for a file on its own.
 *
 * @example
 * ```ts
 * const text = formatPicks([{ run: 'TS_5_4', picks }], { format: copickFormat({ userId: 'me', sessionId: '1' }) });
 * ```
 */
export function copickFormat(options: CopickFormatOptions = {}): PicksFormat {
  const { userId = 'cryoet-picks', sessionId = '0' } = options;
  return {
    name,
    content: 'text',
    losses: [],
    parse(text, source) {
      const { picks, runName } = parsePicksFile(text, { source, fallbackObject: options.object });
      if (picks.length === 0) return [];
      return [{ run: needName(runName ?? options.run, { name: 'run', place: source }), picks }];
    },
    format(runs: Iterable<RunPicks>) {
      const checked = checkedPicks(runs);
      const runName = onlyRun(checked, name) ?? options.run;
      const object = needName(onlyObject(checked, name) ?? options.object, { name: 'object', place: name });
      return formatPicksFile({ object, userId, sessionId, runName, picks: checked.map(({ pick }) => pick) });
    },
  };
}
