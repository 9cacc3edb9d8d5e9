import { describe, expect, it } from 'vitest';
import { expectedEntities, openEntities } from '../../support/copick-entities.ts';
import { differences, inOneOrder, tellProject } from '../../support/tell-project.ts';

describe('a project of every entity that the released copick wrote', () => {
  it('a project of every entity that the released copick wrote reads as copick reads it: every entity, number and byte', async () => {
    const project = openEntities();
    const { objects, runs } = expectedEntities;
    const told = await tellProject(project);
    expect(differences(inOneOrder(told), inOneOrder({ objects, runs }))).toEqual([]);
    expect(project.problems).toEqual([]);
  });

  it('a project of every entity that the released copick wrote differs where a number does', async () => {
    expect(differences({ a: [1, 2] }, { a: [1, 2 + 1e-8] })).toEqual(['project.a.1: 2 and 2.00000001']);
    expect(differences({ a: [1] }, { a: [1, null] })).toEqual(['project.a.1: undefined and null']);
  });
});
