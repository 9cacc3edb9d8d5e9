import { describe, expect, it } from 'vitest';
import {
  formatConfig,
  formatFilamentsFile,
  parseConfig,
  parseFilamentsFile,
  withObject,
} from '../../../src/entry/copick.ts';
import { projectOf } from '../../support/copick-tree.ts';

const long = '12345678901234567891';
const source = 'x.json';
const compact = (text: string) => text.replaceAll(/\s/g, '');
const countOf = (text: string) => compact(text).split(long).length - 1;

function filament(id: string, fields = ''): string {
  return `{"instance_id": ${id}, "points": [[0, 0, 0], [10, 0, 0]]${fields}}`;
}

function filamentsText(filaments: string, fields = ''): string {
  return `{"pickable_object_name": "virus", "user_id": "me", "session_id": "1"${fields}, "filaments": [${filaments}]}`;
}

describe('long integers of filaments', () => {
  const curve = `, "curve": {"kind": "mine", "control_points": [[${long}, 0, 0]], "step": 5, "seed": ${long}}`;
  const rest = `, "metadata": {"deep": [{"serial": -${long}}], "text": "${long}"}, "mark": ${long}${curve}`;
  const text = filamentsText(`${filament(long, rest)}, ${filament('2')}`, `, "hash": ${long}`);

  it('long integers of filaments of ids, metadata, curves and unknown keys are read and written to the last digit', () => {
    const file = parseFilamentsFile(text, { source });
    const [first, second] = file.filaments;
    expect(first).toMatchObject({
      instanceId: BigInt(long),
      metadata: { deep: [{ serial: -BigInt(long) }], text: long },
      curve: { unknown: { seed: BigInt(long) }, controlPoints: [{ x: Number(long), y: 0, z: 0 }] },
      unknown: { mark: BigInt(long) },
    });
    expect(second!.instanceId).toBe(2);
    expect(file.unknown).toEqual({ hash: BigInt(long) });
    const written = formatFilamentsFile(file);
    // All but the coordinate, which is a measure.
    expect(countOf(written)).toBe(countOf(text) - 1);
    expect(parseFilamentsFile(written, { source })).toEqual(file);
  });

  it('long integers of filaments survive a project', async () => {
    const { project } = projectOf({ overlay: { '/ExperimentRuns/TS_1/Filaments/me_1_virus.json': text } });
    const run = await project.run('TS_1');
    const [entry] = await run.filaments();
    const file = await entry!.read();
    await run.writeFilaments(file.filaments, { ...file, ifVersion: file.version });
    const again = await entry!.read();
    expect(again.filaments).toEqual(file.filaments);
    expect(again.unknown).toEqual(file.unknown);
  });

  it.each([
    ['twice the same id', filamentsText(`${filament(long)}, ${filament(long)}`), new RegExp(`instance id ${long}`)],
    ['a negative id', filamentsText(filament(`-${long}`)), /filaments\.0\.instance_id/],
    [
      'a version',
      filamentsText(filament('1'), `, "version": ${long}`),
      /version is 12345678901234567891: it must be within ±2\^53/,
    ],
  ])('long integers of filaments are refused as %s', (_, given, message) => {
    expect(() => parseFilamentsFile(given, { source })).toThrow(
      expect.objectContaining({ code: 'invalid-picks', message: expect.stringMatching(message) }),
    );
  });

  it('long integers of filaments that one float64 would merge stay distinct, and are refused below 1', () => {
    const neighbours = ['9007199254740992', '9007199254740993'].map((id) => filament(id)).join();
    const file = parseFilamentsFile(filamentsText(neighbours), { source });
    expect(file.filaments.map(({ instanceId }) => instanceId)).toEqual([9007199254740992n, 9007199254740993n]);
    const [first] = file.filaments;
    for (const instanceId of [0n, -5n]) {
      expect(() => formatFilamentsFile({ ...file, filaments: [{ ...first!, instanceId }] })).toThrow(/instance id/);
    }
    const same = [1, 1n].map((instanceId) => ({ ...first!, instanceId }));
    expect(() => formatFilamentsFile({ ...file, filaments: same })).toThrow(/two filaments have the instance id 1/);
  });
});

describe('long integers of configs', () => {
  const configText = (object: string, fields = '') =>
    `{"overlay_root": "o"${fields}, "pickable_objects": [{"name": "virus", "is_particle": true${object}}]}`;
  const text = configText(
    `, "label": 1, "metadata": {"serial": ${long}, "text": "${long}"}, "mark": [${long}]`,
    `, "hash": -${long}`,
  );

  it('long integers of configs of metadata and unknown keys are read and written to the last digit, edited or not', () => {
    const config = parseConfig(text, { source });
    expect(config.objects[0]!.metadata).toEqual({ serial: BigInt(long), text: long });
    const edited = withObject(config, { name: 'actin', isParticle: true });
    for (const one of [config, edited]) {
      expect(countOf(formatConfig(one))).toBe(countOf(text));
      expect(parseConfig(formatConfig(one), { source }).original?.()).toMatchObject({ hash: -BigInt(long) });
    }
  });

  it('long integers of configs become the nearest number in measurements', () => {
    const [object] = parseConfig(configText(`, "radius": ${long}`), { source }).objects;
    expect(object!.radius).toBe(Number(long));
  });

  it.each([
    ['labels', configText(`, "label": ${long}`), /pickable_objects\.0\.label is \S+: it must be within ±2\^53/],
    [
      'ids of datasets',
      configText('', `, "config_type": "cryoet_data_portal", "dataset_ids": [${long}]`),
      /dataset_ids\.0 is \S+: it must be within ±2\^53/,
    ],
  ])('long integers of configs are refused as %s', (_, given, message) => {
    expect(() => parseConfig(given, { source })).toThrow(
      expect.objectContaining({ code: 'invalid-config', message: expect.stringMatching(message) }),
    );
  });

  it('long integers of configs show in messages', () => {
    expect(() => parseConfig(`{"config_type": ${long}}`, { source })).toThrow(`unknown config_type "${long}"`);
  });
});
