import { describe, expect, it } from 'vitest';
import { scoreLines } from '../../src/cli/score.ts';
import { cziiRules, type ParticlePick, scorePicks } from '../../src/entry/index.ts';

const pick = (object: string, x: number): ParticlePick => ({ object, position: { x, y: 0, z: 0 }, score: 1 });

function linesFor(objects: readonly string[]): string[] {
  const picks = objects.map((object, i) => pick(object, 1000 * i));
  return scoreLines(scorePicks([{ run: 'TS_1', truth: picks, picks }], cziiRules), cziiRules);
}

describe('the score as lines', () => {
  it('the lines of a score explain why perfect picks score less than 1 if the truth lacks particles', () => {
    const lines = linesFor(['ribosome', 'thyroglobulin']);
    expect(lines[0]).toMatch(/^score 0\.4286 /);
    expect(lines[1]).toBe(
      'the truth holds 2 of the 6 particles of the competition, whose weights always sum to 7: perfect picks score 0.4286',
    );
  });

  it('the lines of a score explain nothing if the truth has all particles', () => {
    const scored = Object.keys(cziiRules.objects).filter((name) => name !== 'beta-amylase');
    expect(linesFor(scored)[0]).toMatch(/^score 1\.0000 /);
    expect(linesFor(scored)[1]).toBe('');
  });
});
