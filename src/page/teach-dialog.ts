import { type Candidates, formatModelSpec, joinCandidates, type ModelSpec, type ParticlePick } from '../entry/index.ts';
import type { ViewSession } from '../entry/web.ts';
import { counted } from './counted.ts';
import { questionBeforeSearch } from './detect-dialog.ts';
import type { Extent, TeachResult } from './lesson.ts';
import { networkDialog, networkWords, type Ready, searchReports } from './network-dialog.ts';
import type { Page } from './page.ts';
import { distance } from './planes.ts';
import { openPupil, type Pupil } from './pupil.ts';
import { candidatePicks } from './review.ts';
import { onlyOf } from './set-review.ts';
import { type Lesson, type LessonObject, NO_VOXEL_SIZE, NOT_READ, ownOf, type State, UNSAVED } from './state.ts';
import { countsOf, missingFor, type Told, teachableObjects, toldOf } from './told.ts';
import { goesOn, TEACHING, type Work } from './work.ts';
import type { Workspace } from './workspace.ts';

/** A pupil that has the features of a tomogram, and which tomogram that is. */
interface Held extends Pick<Ready, 'plan' | 'tomogram'> {
  readonly pupil: Pupil;
  readonly run: string;
  readonly collection: Workspace['collection'];
  /** The edge of its voxels in Å: a person may correct it. */
  readonly voxelSize: number | undefined;
}

/**
 * Teaches the network the objects that it does not know, by what a person has told of them: the first time after the features of the
 * tomogram were computed, whose time and memory are told before, then at once.
 */
export function teacher(page: Page, workspace: Workspace, session: () => ViewSession | undefined): () => void {
  const { live, desk } = page;
  let held: Held | undefined;

  const isHere = ({ run, tomogram, collection, voxelSize }: Held) =>
    collection === workspace.collection &&
    run === live.state.run &&
    tomogram.label === live.state.tomogram &&
    voxelSize === live.state.grid?.voxelSize[2];

  const prepare = async ({ network, plan, runtime, tomogram }: Ready, { signal, show }: Work) => {
    const { run, grid } = live.state;
    if (run === undefined) return;
    held?.pupil.end();
    held = undefined;
    const { warnings, ...reports } = searchReports(show, 'Computing features');
    const { level, tiles } = plan;
    const place = { network, level, tiles, runtime, run, signal, ...reports };
    const { collection } = workspace;
    const pupil = await openPupil(tomogram.place, place);
    if (signal.aborted) return pupil.end();
    held = { pupil, plan, tomogram, run, collection, voxelSize: grid?.voxelSize[2] };
    live.change({ networkObjects: objectsOf(network.spec) });
    desk.tell(...[...warnings].map((message) => `While computing features: ${message}.`));
  };

  const learn = async ({ pupil, plan, tomogram, run }: Held, { signal }: Work) => {
    const isOwn = workspace.review?.isOwn ?? false;
    const known = objectsOf(pupil.spec);
    const told = toldOf(page, { isOwn, isWanted: (object) => !known.includes(object) });
    const objects = teachableObjects(told);
    if (objects.length === 0) throw new Error(whatIsMissing(live.state, told, known));
    const isTaught = ({ object }: ParticlePick) => objects.includes(object);
    const before = knownCandidates(workspace, live.state, pupil);
    const isWanted = (object: string) => !known.includes(object) || (before?.objects.includes(object) ?? false);
    const { set, thresholds } = live.state;
    const from = set === UNSAVED ? workspace.found?.told?.from : undefined;
    let last: Told = { ...toldOf(page, { isOwn, isWanted }), ...(from && { from }) };
    let shown = set;
    const showFound = async (found: Candidates, spec: ModelSpec, learned?: TeachResult) => {
      // What was decided meanwhile goes along.
      if (live.state.run === run && live.state.set === shown) {
        last = { ...toldOf(page, { isOwn, isWanted }), from: last.from };
      }
      shown = UNSAVED;
      const candidates = before ? joinCandidates(found, before) : found;
      const kept = Object.entries(thresholds).filter(([object]) => before?.objects.includes(object));
      await workspace.showDetection(
        {
          ...{ run, tomogram, level: plan.level, tiles: plan.tiles, candidates, told: last },
          model: { spec, sha256: learned?.sha256 },
          lesson: learned && lessonOf(learned, candidates),
        },
        { ...Object.fromEntries(kept), ...found.thresholds },
      );
    };
    const picks = told.kept.filter(isTaught).map(bare);
    const rejects = told.rejected.filter(isTaught).map(bare);
    const radius = Object.fromEntries(objects.map((object) => [object, page.objectNamed(object).radius]));
    const view = viewOf(live.state, Math.max(...Object.values(radius)));
    let preview = Promise.resolve();
    const result = await pupil.learn(
      { picks, rejects, radius, view },
      {
        signal,
        onView(found, spec) {
          preview = showFound(found, spec);
        },
      },
    );
    await preview;
    signal.throwIfAborted();
    await showFound(result.candidates, result.spec, result);
    const counts = countsOf(page.review().kept);
    const place = live.state.run === run ? '' : ` in ${run}`;
    const lines = (live.state.lesson?.objects ?? []).map(
      (one) =>
        `${learnedWords(one)}${place}: ${counted(ownOf(counts, one.object) ?? 0, 'pick')}. ${expectedWords(one)}`,
    );
    const few = Object.keys(countsOf(told.kept)).filter((object) => !objects.includes(object));
    const waiting = few.map((object) => `${missingFor(object, told)}, and it will be taught, too.`);
    desk.tell(...lines, ...waiting);
  };

  const learnNow = (from: Held) => desk.work(TEACHING, (work) => learn(from, work));
  const open = networkDialog(workspace, session, {
    title: 'Teach',
    explanation:
      'To teach a network of your own, choose its .onnx file, which needs an output "features", and its card, a .json file. Without a choice, the network of this package is taught.',
    factsOf: featureFacts,
    async start(ready) {
      if (!mayReplace(undefined)) return;
      await desk.work('Computing features', (work) => prepare(ready, work));
      if (held === undefined) return;
      if (isHere(held)) return learnNow(held);
      desk.tell(`The features of ${held.tomogram.label} in ${held.run} are there: go there and press T again.`);
    },
  });
  /** Asks before something that was found and is not saved is replaced, unless it goes along. */
  const mayReplace = (pupil: Pupil | undefined) => {
    const { set } = live.state;
    const goesAlong =
      set === UNSAVED &&
      (pupil === undefined || workspace.found?.lesson || knownCandidates(workspace, live.state, pupil));
    const question = goesAlong ? undefined : questionBeforeSearch(live.state, 'Teach all the same?');
    return question === undefined || confirm(question);
  };

  return () => {
    const { isUnscaled, arePicksRead, networkObjects } = live.state;
    if (desk.busy !== undefined) return desk.tell(goesOn(desk.busy));
    const reason = workspace.opened === undefined ? 'Open a tomogram first.' : isUnscaled ? NO_VOXEL_SIZE : undefined;
    if (reason !== undefined || !arePicksRead) return desk.tell(reason ?? NOT_READ);
    const here = held && isHere(held) ? held : undefined;
    const known = here ? objectsOf(here.pupil.spec) : (networkObjects ?? []);
    const isOwn = workspace.review?.isOwn ?? false;
    const told = toldOf(page, { isOwn, isWanted: (object) => !known.includes(object) });
    if (teachableObjects(told).length === 0) return desk.tell(new Error(whatIsMissing(live.state, told, known)));
    if (here === undefined) open();
    else if (mayReplace(here.pupil)) void learnNow(here);
  };
}

/** The objects that a network finds by itself. */
export function objectsOf({ classes }: Pick<ModelSpec, 'classes'>): string[] {
  return classes.filter((name) => name !== null);
}

/** Why nothing can be taught. */
export function whatIsMissing({ object }: Pick<State, 'object'>, told: Told, known: readonly string[]): string {
  const howTo = 'Press E and click on particles, three at least, ten are better; then press T';
  if (object === undefined) return `Make an object by the + beside "Objects". ${howTo}.`;
  if (known.includes(object)) {
    return `The network finds ${object} by itself: press D. To teach it another object, make one by the + beside "Objects". ${howTo}.`;
  }
  return `It takes ${missingFor(object, told) ?? 'more picks'}. ${howTo}.`;
}

/**
 * The candidates of the network's own objects that show, if the network that is taught has found them here: they go along, since the
 * taught model finds them, too.
 */
function knownCandidates({ found, opened }: Workspace, state: State, { spec, sha256 }: Pupil): Candidates | undefined {
  const { candidates, picking, set, lesson } = state;
  const model = set === UNSAVED ? found?.model : (picking?.madeBy.model as Partial<Pupil> | undefined);
  const isSame = model?.sha256 !== undefined && [sha256, lesson?.sha256].includes(model.sha256);
  if (candidates === undefined || !isSame) return undefined;
  const isOfLevel = opened?.sources.some(({ grid }) => JSON.stringify(grid) === JSON.stringify(candidates.grid));
  const objects = candidates.objects.filter((object) => spec.classes.includes(object));
  return isOfLevel && objects.length > 0 ? onlyOf(candidates, objects) : undefined;
}

/** A pick as a worker needs it. */
function bare({ object, position, score }: ParticlePick): ParticlePick {
  return { object, position, score };
}

/** What the slice xy shows, as deep as a particle. */
function viewOf({ camera: { center, zoom }, panels, position }: State, radius: number): Extent {
  const [across, down] = [panels.width / 2 / zoom, panels.height / 2 / zoom];
  return {
    lowest: { x: center.x - across, y: center.y - down, z: position.z - radius },
    highest: { x: center.x + across, y: center.y + down, z: position.z + radius },
  };
}

/** What was learned, with the candidates that it is least sure of, and the model as files. */
function lessonOf({ objects, spec, onnx, sha256 }: TeachResult, candidates: Candidates): Lesson {
  const all = candidatePicks(candidates);
  const stem = spec.name.replace(/[^\w.-]+/g, '-');
  return {
    sha256,
    objects: objects.map(({ object, picks, rejects, rejectsDropped, particles, curve, unsure }) => {
      const own = all.filter((pick) => pick.object === object);
      const ids = unsure.flatMap((run) => run.picks).flatMap(({ position }) => nearest(own, position)?.id ?? []);
      return { object, picks, rejects, rejectsDropped, particles, curve, unsure: [...new Set(ids)] };
    }),
    files: [
      { name: `${stem}.onnx`, content: onnx },
      { name: `${stem}.json`, content: new TextEncoder().encode(formatModelSpec(spec)) },
    ],
  };
}

function nearest<P extends ParticlePick>(picks: readonly P[], to: ParticlePick['position']): P | undefined {
  let best: P | undefined;
  for (const pick of picks) {
    if (best === undefined || distance(pick.position, to) < distance(best.position, to)) best = pick;
  }
  return best;
}

/** What an object was learned from. */
export function learnedWords({ object, picks, rejects }: LessonObject): string {
  const without = rejects === 0 ? '' : ` and ${rejects} rejected`;
  return `${object}, learned from ${counted(picks, 'pick')}${without}`;
}

/** A rise of F1 along the curve that more picks may go on with. */
const RISE = 0.02;

/** What to expect of what was learned. */
export function expectedWords({ curve, rejectsDropped }: LessonObject): string {
  const [before, now] = curve.slice(-2).length === 2 ? curve.slice(-2) : [undefined, curve.at(-1)];
  const trend =
    before === undefined || now === undefined
      ? ''
      : now.score - before.score > RISE
        ? ', rising: pick more'
        : ', no longer rising';
  const expected =
    now === undefined ? '' : `F1 to expect: ${now.score.toFixed(2)} with ${counted(now.picks, 'pick')}${trend}.`;
  return rejectsDropped ? `${expected} The rejected picks were left out: they made it worse.` : expected;
}

/** Features that the network of this package has in each cell. */
const FEATURES = 16;

/** Seconds that a core takes for a million voxels in WebAssembly, with the network of this package: 90 s were measured for 73 million. */
const SECONDS_PER_MILLION = 1.3;

/** What computing the features takes. */
export function featureFacts({ network, plan, isOwn }: Pick<Ready, 'network' | 'plan' | 'isOwn'>): string {
  const cells = plan.voxels / network.spec.outputStride ** 3;
  const kept = Math.ceil((2 * FEATURES * cells) / 1e6);
  const threads = Math.max(1, (navigator.hardwareConcurrency ?? 2) - 1);
  const minutes = Math.max(1, Math.round((SECONDS_PER_MILLION * plan.voxels) / 1e6 / threads / 60));
  const more = isOwn ? ', more if the network is larger than that of this package' : '';
  return (
    `${networkWords({ network, plan })} First its features are computed, once for this tomogram: some ${counted(minutes, 'minute')} ` +
    `without WebGPU, and about ${Math.ceil(plan.memory / 1e6) + kept} MB of memory, of which ${kept} MB are kept${more}. ` +
    'Then each T takes some seconds.'
  );
}
