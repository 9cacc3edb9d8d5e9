/**
 * Fits the calibration of a model card, by which the library estimates how many picks are false, and measures the estimates on
 * tomograms that were not used to choose anything: simulates, detects, fits, writes the card, prints the tables of
 * docs/design/false-picks.md.
 *
 *     npm run calibrate -- DIR [--model OUT/default.onnx] [--fill] [--test]
 *
 * DIR keeps the scores of each tomogram, so that an interrupted call can be repeated. The default model is that of the package.
 * --fill writes the field `calibration` into the card; --test looks at the tomograms for testing, once the method is settled.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Calibration, chooseObjects, parseModelSpec } from 'cryoet-picks';
import { loadModel } from 'cryoet-picks/node';
import * as ort from 'onnxruntime-node';
import { type LabelledTomogram, labelTomograms } from './labels.ts';
import { type Comparison, fitCalibration } from './regression.ts';
import { absentTable, accuracyTable, casesOf, conditionTable, coverage } from './table.ts';
import { plannedTomograms } from './tomograms.ts';

/** Part of the cases within a factor of 1.5 that a calibration needs; an object with fewer gets none, and it cannot be told. */
const needed = 0.8;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: fileURLToPath(new URL('../../models/default.onnx', import.meta.url)) },
    fill: { type: 'boolean', default: false },
    test: { type: 'boolean', default: false },
    threads: { type: 'string', default: '1' },
  },
});
const [folder] = positionals;
if (folder === undefined) throw new Error('expected: calibrate.ts DIR [--model OUT/default.onnx] [--fill] [--test]');
const cardPath = values.model.replace(/\.onnx$/, '.json');
const card = JSON.parse(await readFile(cardPath, 'utf8'));
const spec = parseModelSpec(card, { source: cardPath });
const { minDistances } = spec;
/** Those of the competition: at the balanced ones an object that is absent has hardly any picks to tell of. */
const { thresholds } = chooseObjects(spec, undefined, { thresholds: 'competition' });

const model = await loadModel(ort, values.model, { threads: Number(values.threads) });
const planned = plannedTomograms();
const label = (purpose: string) =>
  labelTomograms(
    folder,
    planned.filter((one) => one.purpose === purpose),
    model,
  );
const chosen = await label('choose');
const test = values.test ? await label('test') : [];
await model.dispose();

const calibrations: Record<string, Calibration> = {};
for (const [object, minDistance] of Object.entries(minDistances)) {
  const { calibration, comparisons } = fitCalibration(chosen, object, minDistance);
  const { close, counted } = closeness(comparisons);
  const isGood = counted === 0 || close / counted >= needed;
  console.log(`${object}: ${close} of ${counted} cases within a factor of 1.5${isGood ? '' : ': no calibration'}`);
  console.log(`  ${JSON.stringify(calibration)}`);
  if (isGood) calibrations[object] = calibration;
}
if (values.fill) {
  const { provenance, calibration: _, ...others } = card;
  const calibrated = { tomograms: chosen.length, made: 'training/false-picks' };
  const filled = { ...others, calibration: calibrations, provenance: { ...provenance, calibration: calibrated } };
  await writeFile(cardPath, `${JSON.stringify(filled, null, 2)}\n`);
}
if (values.test) {
  const cases = casesOf(test, chosen, calibrations);
  const present = cases.filter(({ tomogram }) => !tomogram.name.endsWith('absent'));
  console.log(`\n${accuracyTable(present)}\n\n${conditionTable(present)}\n`);
  console.log(`intervals: ${coverage(present)}\n`);
  console.log(absentTable(casesOf(absentIn(test), chosen, calibrations, (object) => [thresholds[object]!])));
}

function closeness(comparisons: readonly Comparison[]): { readonly close: number; readonly counted: number } {
  const counted = comparisons.filter(({ picks, falsePicks }) => falsePicks >= 10 && picks - falsePicks >= 10);
  const close = counted.filter(
    ({ falsePicks, estimate }) => estimate <= 1.5 * falsePicks && 1.5 * estimate >= falsePicks,
  );
  return { close: close.length, counted: counted.length };
}

function absentIn(tomograms: readonly LabelledTomogram[]): LabelledTomogram[] {
  return tomograms.filter(({ name }) => name.endsWith('absent'));
}
