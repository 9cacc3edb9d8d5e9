import { estimateFalsePicks, type FalsePicks, type ParticlePick } from '../entry/index.ts';
import { labelColors } from './colors.ts';
import { type Difference, differenceFrom } from './compare.ts';
import { greyColors } from './grey-level.ts';
import type { GreyVolume } from './grey-volume.ts';
import { createLive, type Live } from './live.ts';
import { placesOf } from './places.ts';
import { allowedThresholds, createReviewer, isOpen, type Review, submissionOf } from './review.ts';
import { type Comparison, compareWithTruth } from './scoring.ts';
import { type ShownObject, unknownObject } from './state.ts';
import { createDesk, type Desk } from './work.ts';

/** What the parts of the page share: the state, and what follows from it, computed once for all of them. */
export interface Page {
  readonly live: Live;
  readonly desk: Desk;
  /** The voxels of the tomogram that is open, as far as they have been read. */
  volume: GreyVolume | undefined;
  /** The labels of the segmentation that lies over it, as grey of the same number. */
  overlay: GreyVolume | undefined;
  review(): Review;
  /** The kept picks beside the truth; undefined without one. */
  comparison(): Comparison | undefined;
  /** The official score of a submission of these picks; undefined without a truth. */
  submissionScore(): number | undefined;
  /** The kept picks beside those of another set; undefined without one. */
  difference(): Difference | undefined;
  /** How many of the picks at the present thresholds that nobody has decided about are false, by object; undefined without candidates. */
  falsePicks(): Readonly<Record<string, FalsePicks>> | undefined;
  /** The pixel of each grey. */
  colors(): Uint32Array;
  /** The pixel of each label. */
  labelColors(): Uint32Array;
  objectNamed(name: string): ShownObject;
}

/** What to say about objects whose radius is assumed; undefined if the project gives all. */
export function assumedRadii(objects: readonly ShownObject[]): string | undefined {
  const assumed = objects.filter(({ isRadiusAssumed }) => isRadiusAssumed);
  if (assumed.length === 0) return undefined;
  const names = assumed.map(({ name }) => `"${name}"`).join(', ');
  const radii = assumed.map(({ radius }) => `${radius} Å`);
  const isOne = new Set(radii).size === 1;
  return (
    `The project gives no radius of ${names}: rings and scores take ${isOne ? radii[0] : radii.join(', ')}. ` +
    'A search takes the minimum distances of the network.'
  );
}

/** Makes the shared part of a page. */
export function createPage(): Page {
  const live = createLive();
  const reviewer = createReviewer();
  const review = () => reviewer(live.state);
  const comparison = remembered(
    () => [review(), live.state.truth, live.state.objects],
    () => compareWithTruth(live.state, review()),
  );
  const submissionScore = remembered(
    () => [review(), live.state.candidates, live.state.truth, live.state.objects],
    () => {
      const { report } = comparison() ?? {};
      if (live.state.candidates?.competitionThresholds === undefined) return report?.score;
      return compareWithTruth(live.state, submissionOf(live.state))?.report.score;
    },
  );
  const difference = remembered(
    () => [review(), live.state.others, live.state.otherSet, live.state.objects],
    () => differenceFrom(live.state, review()),
  );
  const falsePicks = remembered(
    () => [live.state.candidates, live.state.thresholds, review()],
    () => {
      const { candidates, thresholds } = live.state;
      if (candidates === undefined) return undefined;
      // Candidates of one object at one place are never both picked.
      const open = placesOf(review().kept.filter(isOpen));
      const counts = (pick: ParticlePick) => open.at(pick) !== undefined;
      return estimateFalsePicks(candidates, { thresholds: allowedThresholds(candidates, thresholds), counts });
    },
  );
  const objects = remembered(
    () => [live.state.objects],
    () => new Map(live.state.objects.map((object) => [object.name, object])),
  );
  const page: Page = {
    live,
    desk: createDesk(live),
    volume: undefined,
    overlay: undefined,
    review,
    comparison,
    submissionScore,
    difference,
    falsePicks,
    colors: remembered(
      () => [live.state.window, live.state.isInverted, page.volume?.range],
      () => greyColors(page.volume?.range ?? { low: 0, high: 1 }, live.state.window, live.state.isInverted),
    ),
    labelColors: remembered(
      () => [live.state.objects, live.state.segmented],
      () => labelColors(live.state.objects, live.state.segmented ?? { kind: 'multilabel', name: '' }),
    ),
    objectNamed: (name) => objects().get(name) ?? unknownObject(name),
  };
  return page;
}

/** Computes again only if one of the inputs is another. */
export function remembered<T>(inputs: () => readonly unknown[], compute: () => T): () => T {
  let seen: readonly unknown[] | undefined;
  let value: T;
  return () => {
    const now = inputs();
    if (seen === undefined || now.some((input, i) => !Object.is(input, seen?.[i]))) value = compute();
    seen = now;
    return value;
  };
}
