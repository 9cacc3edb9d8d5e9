import { type DetectableObject, picksFromCandidates } from '../entry/index.ts';
import type { ViewSession } from '../entry/web.ts';
import { counted } from './counted.ts';
import { searchIn } from './detect.ts';
import { NONE } from './element.ts';
import { networkDialog, networkWords, type Ready, searchReports } from './network-dialog.ts';
import { assumedRadii, type Page } from './page.ts';
import { editsSince, type State, UNSAVED } from './state.ts';
import { goesOn, type Work } from './work.ts';
import type { Workspace } from './workspace.ts';

/** Asks for a network, tells the memory that it takes, and searches the tomogram that is open. */
export function detector(page: Page, workspace: Workspace, session: () => ViewSession | undefined): () => void {
  const { live } = page;
  const search = async ({ network, plan, runtime, tomogram }: Ready, { signal, show }: Work) => {
    const { run } = live.state;
    if (run === undefined) return;
    const { level, tiles } = plan;
    const objects = searchedObjects(live.state);
    const { warnings, ...reports } = searchReports(show, 'Detecting');
    const { candidates, sha256 } = await searchIn(tomogram.place, {
      ...{ network, level, tiles, runtime, objects, signal, ...reports },
    });
    signal.throwIfAborted();
    const before = live.state.run === run ? reviewBefore(live.state) : '';
    await workspace.showDetection({ run, tomogram, level, tiles, model: { spec: network.spec, sha256 }, candidates });
    const count = picksFromCandidates(candidates).length;
    const isHere = live.state.run === run;
    const place = isHere ? '' : ` in ${run}`;
    const keep = live.state.canWrite
      ? `${isHere ? '' : `Go to ${run}: there `}Save keeps them.`
      : 'They stay, with their sliders, until this page is closed; Export gives the picks as a file.';
    page.desk.tell(
      `Found ${counted(count, 'pick')} among ${counted(candidates.scores.length, 'candidate')}${place}. ${keep}${before}`,
      ...[...warnings].map((message) => `While searching: ${message}.`),
    );
  };
  const open = networkDialog(workspace, session, {
    title: 'Detect',
    explanation:
      'To search with a network of your own, choose its .onnx file and its card, a .json file. Without a choice, the network of this package searches.',
    factsOf,
    note: () => assumedRadii(ofProject(live.state)),
    start(ready) {
      const question = questionBeforeSearch(live.state);
      if (question !== undefined && !confirm(question)) return;
      void page.desk.work('Detecting', (work) => search(ready, work));
    },
  });
  return () => {
    if (page.desk.busy !== undefined) return page.desk.tell(goesOn(page.desk.busy));
    open();
  };
}

/** What to ask before the run that shows is searched; undefined if nothing would be lost. */
export function questionBeforeSearch(
  { unsaved, run }: Pick<State, 'unsaved' | 'run'>,
  question = 'Detect again?',
): string | undefined {
  if (run === undefined || !unsaved.has(run)) return undefined;
  return `What was found in ${run} before is not saved, and what is found now will replace it, with your decisions about it. ${question}`;
}

/** Where a review that is not saved stays while what was found shows; nothing to tell without one. */
export function reviewBefore({ edits, savedEdits, set = NONE }: Pick<State, 'edits' | 'savedEdits' | 'set'>): string {
  const count = editsSince(savedEdits, edits).size;
  if (set === UNSAVED || count === 0) return '';
  const what = count === 1 ? 'The change that you made before stays' : `The ${count} changes that you made before stay`;
  return ` ${what} under "${set}" in the list of pick sets.`;
}

/** What the search is, and how much memory it takes. */
export function factsOf({ network, plan, isOwn }: Pick<Ready, 'network' | 'plan' | 'isOwn'>): string {
  const more = isOwn ? ', more if it is larger than that of this package' : '';
  return `${networkWords({ network, plan })} It takes about ${Math.ceil(plan.memory / 1e6)} MB of memory${more}.`;
}

/** The objects to search for: picks of one that the project does not have could not be saved. */
export function searchedObjects(state: Pick<State, 'objects'>): DetectableObject[] {
  return ofProject(state).map(({ name, radius, isRadiusAssumed }) => ({
    name,
    radius: isRadiusAssumed ? undefined : radius,
  }));
}

function ofProject({ objects }: Pick<State, 'objects'>): State['objects'] {
  return objects.filter(({ isUnknown }) => !isUnknown);
}
