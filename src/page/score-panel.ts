import type { SweepCurve } from '../entry/index.ts';
import { element } from './element.ts';
import { type Page, remembered } from './page.ts';
import { curveOf } from './scoring.ts';
import { ownOf } from './state.ts';

/** The official score, the table per object, and the precision-recall curve of the object at hand; only where there is a truth. */
export function scorePanel(page: Page): HTMLElement {
  const { live } = page;
  const total = element('strong', { className: 'score' });
  const table = element('table', {});
  const note = element('p', { className: 'quiet' });
  const curve = element('canvas', { width: 2 * 248, height: 2 * 56, className: 'curve', role: 'img' });
  const legend = element('p', { className: 'quiet' });
  const root = element(
    'details',
    // On a low screen the picks need the space.
    { className: 'panel', open: innerHeight >= 850 },
    element('summary', {}, 'Score ', total),
    table,
    note,
    curve,
    legend,
  );
  const objectAtHand = () => live.state.object ?? '';
  const sweep = remembered(
    () => {
      const { loaded, candidates, picking, edits, truth, objects, minDistances, thresholds } = live.state;
      // The curve does not depend on the threshold of its own object, which moves most.
      const others = objects.map(({ name }) => (name === objectAtHand() ? undefined : ownOf(thresholds, name)));
      return [objectAtHand(), loaded, candidates, picking, edits, truth, objects, minDistances, ...others];
    },
    () => curveOf(objectAtHand(), live.state),
  );
  live.watch(['truth', 'loaded', 'edits', 'thresholds', 'objects', 'object', 'minDistances'], () => {
    const comparison = page.comparison();
    root.hidden = comparison === undefined;
    if (comparison === undefined) return;
    const { report, hits, unknown } = comparison;
    total.textContent = page.submissionScore()!.toFixed(4);
    const { candidates } = live.state;
    table.replaceChildren(
      row('th', ['', 'hit', 'false', 'missed', 'F']),
      ...Object.entries(report.objects).map(([name, { tp, fp, fn, fbeta }]) => {
        const made = row('td', [name, String(tp), String(fp), String(fn), fbeta.toFixed(3)]);
        made.classList.toggle('chosen', name === live.state.object);
        return made;
      }),
    );
    const several = [...hits.values()].filter((count) => count > 1).length;
    const notes = [
      candidates?.competitionThresholds === undefined
        ? undefined
        : 'Score: a submission, at the thresholds of the competition but for those you moved. Table: the picks that show.',
      several > 0 ? `${several} ${several === 1 ? 'pick hits' : 'picks hit'} more than one particle.` : undefined,
      unknown.length > 0 ? `Not scored, because the project does not have them: ${unknown.join(', ')}.` : undefined,
    ].filter((part) => part !== undefined);
    note.hidden = notes.length === 0;
    note.textContent = notes.join(' ');
    const name = objectAtHand();
    const own = sweep();
    const point = ownOf(report.objects, name);
    curve.hidden = own === undefined;
    legend.textContent = own ? `precision over recall: ${name}` : '';
    if (own && point) drawCurve(curve, own, point, page.objectNamed(name).color);
  });
  return root;
}

function row(cell: 'th' | 'td', texts: readonly string[]): HTMLTableRowElement {
  return element('tr', {}, ...texts.map((text) => element(cell, {}, text)));
}

function drawCurve(
  canvas: HTMLCanvasElement,
  { precision, recall }: SweepCurve,
  point: { readonly precision: number; readonly recall: number },
  color: string,
): void {
  const context = canvas.getContext('2d') as CanvasRenderingContext2D;
  const { width, height } = canvas;
  const margin = 10;
  const left = (value: number) => margin + Math.min(1, value) * (width - 2 * margin);
  const top = (value: number) => height - margin - Math.min(1, Math.max(0, value)) * (height - 2 * margin);
  context.clearRect(0, 0, width, height);
  context.strokeStyle = '#2a2f38';
  context.lineWidth = 2;
  for (const share of [0, 0.5, 1]) {
    context.beginPath();
    context.moveTo(left(0), top(share));
    context.lineTo(left(1), top(share));
    context.moveTo(left(share), top(0));
    context.lineTo(left(share), top(1));
    context.stroke();
  }
  context.strokeStyle = color;
  context.lineWidth = 3;
  context.beginPath();
  precision.forEach((value, i) => {
    if (i === 0) context.moveTo(left(recall[i]!), top(value));
    else context.lineTo(left(recall[i]!), top(value));
  });
  context.stroke();
  context.beginPath();
  context.arc(left(point.recall), top(point.precision), 6, 0, 2 * Math.PI);
  context.fillStyle = '#fff';
  context.fill();
  canvas.setAttribute('aria-label', `Precision ${point.precision.toFixed(3)} at recall ${point.recall.toFixed(3)}`);
}
