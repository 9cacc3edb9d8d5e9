import { counted } from './counted.ts';
import { button, element } from './element.ts';
import { download } from './export.ts';
import { doubtfulPicks, stepToDoubtful } from './navigate.ts';
import type { Page } from './page.ts';
import { expectedWords } from './teach-dialog.ts';
import { missingFor, toldOf } from './told.ts';
import type { Workspace } from './workspace.ts';

/** What the object at hand can be taught by, what was learned of it, and what to look at next; hidden for what the network knows. */
export function teachPanel(page: Page, workspace: Workspace, teach: () => void): HTMLElement {
  const { live } = page;
  const start = button('Teach', 'Teach the network this object by your picks (T)', teach);
  const next = button('Least sure', 'Go to the next pick that it is least sure of (L)', () => stepToDoubtful(page));
  const model = button('Model', 'Download the taught network, an ONNX file and its card', () => saveModel(page));
  const facts = element('p', { className: 'quiet' });
  const commands = element('div', { className: 'commands' }, start, next, model);
  const root = element('section', { className: 'panel teach', 'aria-label': 'Teach' }, commands, facts);
  live.watch(['object', 'loaded', 'edits', 'thresholds', 'networkObjects', 'lesson'], (state) => {
    const { object, networkObjects, lesson } = state;
    const isKnown = object === undefined || networkObjects === undefined || networkObjects.includes(object);
    root.hidden = isKnown && lesson === undefined;
    if (root.hidden) return;
    start.hidden = isKnown;
    const about = lesson?.objects.find((one) => one.object === object);
    const words = about === undefined ? [] : [expectedWords(about)];
    if (!isKnown) {
      const own = toldOf(page, { isOwn: workspace.review?.isOwn ?? false, isWanted: (name) => name === object });
      const missing = missingFor(object, own);
      start.textContent = missing === undefined ? `Teach ${object}` : `Teach: ${missing}`;
      words.unshift(`${counted(own.kept.length, 'pick')}, ${own.rejected.length} rejected.`);
    }
    facts.textContent = words.join(' ');
    for (const one of [next, model]) one.hidden = lesson === undefined;
    const doubtful = doubtfulPicks(page).length;
    next.textContent = `Least sure: ${doubtful}`;
    next.disabled = doubtful === 0;
  });
  return root;
}

/** Gives the taught model to the browser to keep, and says how to search with it. */
function saveModel({ live, desk }: Page): void {
  const { lesson, title } = live.state;
  if (lesson === undefined) return;
  for (const file of lesson.files) download(file);
  const [onnx, card] = lesson.files.map(({ name }) => name);
  const config = /\.json$/.test(title) ? title : 'copick.json';
  desk.tell(
    `Downloaded ${onnx} and its card, ${card}: keep them side by side. To search with them: npx cryoet-picks detect ${config} --model ${onnx}`,
  );
}
