import { openProject } from '../node.ts';
import type { CommonFlags, Outcome } from './command.ts';
import { infoLines } from './info-lines.ts';
import { surveyProject } from './survey.ts';
import type { Bar, Terminal } from './terminal.ts';

/** What `info` was asked for. */
export interface InfoInput extends CommonFlags {
  readonly config: string;
}

/** Lists what a project holds, and what is wrong with it. */
export async function info(terminal: Terminal, { config }: InfoInput): Promise<Outcome> {
  const { signal } = terminal;
  const project = await openProject(config, { signal });
  const document = await withBar(terminal, (onProgress) => surveyProject(project, { config, signal, onProgress }));
  terminal.print(infoLines(document, project.config).join('\n'));
  return { json: document };
}

/** Works with a progress bar, which is gone when the work ends. */
async function withBar<T>(terminal: Terminal, work: (update: Bar['update']) => Promise<T>): Promise<T> {
  const bar = terminal.startBar('reading');
  try {
    return await work(bar.update);
  } finally {
    bar.stop();
  }
}
