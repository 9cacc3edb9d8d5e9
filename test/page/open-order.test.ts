import { beforeAll, expect, it } from 'vitest';
import type { Collection } from '../../src/page/collection.ts';
import { inOrder } from '../../src/page/open-dialog.ts';
import { createPage } from '../../src/page/page.ts';
import { stubBrowser } from '../support/page-workspace.ts';

beforeAll(stubBrowser);

/** Openings whose collections are found when the test says so. */
function openings() {
  const { live, desk } = createPage();
  const shown: string[] = [];
  const open = inOrder({ live, desk }, { open: async ({ title }) => void shown.push(title) });
  const begin = () => {
    let end: (found: Collection | Error | undefined) => void = () => undefined;
    const found = new Promise<Collection | Error | undefined>((resolve) => {
      end = resolve;
    });
    const done = open(async () => {
      const collection = await found;
      if (collection instanceof Error) throw collection;
      return collection;
    });
    const find = async (title: string | undefined) => {
      end(title === undefined ? undefined : ({ title } as Collection));
      await done;
    };
    const fail = async (reason: string) => {
      end(new Error(reason));
      await done;
    };
    return { find, fail };
  };
  return { begin, shown, told: () => live.state.message?.text };
}

it('a slow opening does not replace a later one, and its failure is not told', async () => {
  const { begin, shown, told } = openings();
  const [slow, broken, quick] = [begin(), begin(), begin()];
  await quick.find('quick');
  await slow.find('slow');
  await broken.fail('the server is down');
  expect([shown, told()]).toEqual([['quick'], undefined]);
});

it('an opening that is found before a later one shows until that is found', async () => {
  const { begin, shown } = openings();
  const [first, second] = [begin(), begin()];
  await first.find('first');
  await second.find('second');
  expect(shown).toEqual(['first', 'second']);
});

it('a later opening that fails, or of which nothing is chosen, takes no place', async () => {
  const { begin, shown, told } = openings();
  const [slow, broken, cancelled] = [begin(), begin(), begin()];
  await broken.fail('no address');
  await cancelled.find(undefined);
  expect(told()).toBe('no address');
  await slow.find('slow');
  expect(shown).toEqual(['slow']);
});
