import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { isCryoetPicksError } from '../../../src/entry/index.ts';
import { portalStore } from '../../../src/entry/portal.ts';
import { answerQuestion, endpoint, fakeStore, portalTables, type Question, type Tables } from '../../support/portal.ts';
import { forbidUnhandledRejections } from '../../support/unhandled-rejections.ts';

forbidUnhandledRejections();

const first = '17000';

/** Tables with many runs of one tomogram spacing each. */
function manyRuns(count: number): Tables {
  const { runs, tomogramVoxelSpacings, ...rest } = portalTables();
  const ids = Array.from({ length: count }, (_, i) => i + 1);
  return {
    ...rest,
    runs: ids.map((id) => ({ ...runs[0], id, name: `TS_${id}` })),
    tomogramVoxelSpacings: ids.map((id) => ({ ...tomogramVoxelSpacings[0], id: 5000 + id, runId: id })),
  };
}

/** The question in a request, if it asks GraphQL. */
async function questionOf(request: Request): Promise<Question | undefined> {
  return request.method === 'POST' ? request.json() : undefined;
}

describe('pages of a table', () => {
  it('pages of a table are asked for until no row is missing', async () => {
    const { store, questions } = fakeStore({ tables: manyRuns(2345) });
    expect(await store.runs()).toHaveLength(2345);
    expect(questions.map(({ variables }) => variables.page)).toEqual([
      { limit: 1000, offset: 0 },
      { limit: 1000, offset: 1000 },
      { limit: 1000, offset: 2000 },
      { limit: 1000, offset: 2345 },
    ]);
  });

  it('pages of a table may be shorter than requested', async () => {
    const tables = manyRuns(345);
    const { store } = fakeStore({
      first: async (request) => {
        const question = await questionOf(request);
        if (!question) return undefined;
        const { where, page } = question.variables;
        return Response.json(
          answerQuestion(tables, { ...question, variables: { where, page: { ...page, limit: 100 } } }),
        );
      },
    });
    expect((await store.runs()).map(({ id }) => id)).toEqual(tables.runs.map(({ id }) => id));
  });

  it('pages of a table may repeat rows, as when rows are added meanwhile, or be all the same', async () => {
    const tables = manyRuns(500);
    const { store, asked } = fakeStore({
      first: async (request) => {
        const question = (await questionOf(request)) as Question;
        const { where } = question.variables;
        return Response.json(
          answerQuestion(tables, { ...question, variables: { where, page: { limit: 500, offset: 0 } } }),
        );
      },
    });
    expect(await store.runs()).toHaveLength(500);
    expect(asked).toEqual(['runs', 'runs']);
  });
});

describe('a question about many runs', () => {
  it('a query about many runs is halved when the portal fails, until all rows are there', async () => {
    const { store, questions, pauses } = fakeStore({
      tables: manyRuns(50),
      first: async (request) => {
        const ids = ((await questionOf(request))?.variables.where.runId as { _in: number[] } | undefined)?._in ?? [];
        return ids.length > 10 ? new Response('Bad gateway', { status: 502 }) : undefined;
      },
    });
    for (let id = 1; id <= 50; id++) {
      expect((await store.list(`/ExperimentRuns/${id}`)).map(({ name }) => name)).toContain('VoxelSpacing10.012');
    }
    const sizes = questions.slice(1).map(({ variables }) => (variables.where.runId as { _in: number[] })._in.length);
    expect(sizes).toEqual([50, 50, 25, 25, 13, 13, 7, 6, 12, 12, 6, 6, 25, 25, 13, 13, 7, 6, 12, 12, 6, 6]);
    expect(pauses).toEqual(Array(7).fill(1500));
  });

  it('a query about many runs fails if the portal fails over a single run', async () => {
    const { store, pauses, questions } = fakeStore({
      tables: manyRuns(2),
      first: async (request) =>
        (await questionOf(request))?.variables.where.runId ? new Response('', { status: 504 }) : undefined,
    });
    await expect(store.list('/ExperimentRuns/1')).rejects.toEqual(
      expect.objectContaining({ code: 'unavailable', message: `cannot read ${endpoint}: the server answered 504` }),
    );
    expect(questions).toHaveLength(1 + 2 + 4);
    expect(pauses).toEqual([1500, 1500, 2500, 4500]);
  });
});

describe('trouble that may pass', () => {
  const troubles: [string, () => Promise<Response> | Response][] = [
    ...[408, 425, 429, 500, 502, 503, 504, 520].map((status): [string, () => Response] => [
      `the status ${status}`,
      () => new Response('x', { status }),
    ]),
    ['a broken connection', () => Promise.reject(new TypeError('fetch failed'))],
    [
      'an error within a field',
      () => Response.json({ data: null, errors: [{ message: 'statement timeout', path: ['runs'] }] }),
    ],
  ];

  it.each(troubles)('a query is repeated, with a pause, after %s', async (_, trouble) => {
    let left = 2;
    const { store, pauses } = fakeStore({ first: () => (left-- > 0 ? trouble() : undefined) });
    expect(await store.runs()).toHaveLength(4);
    expect(pauses).toEqual([1500, 2500]);
  });

  it.each(troubles)('a query fails after four attempts with %s, and the next call starts anew', async (_, trouble) => {
    let left = 4;
    const { store, pauses } = fakeStore({ first: () => (left-- > 0 ? trouble() : undefined) });
    await expect(store.runs()).rejects.toMatchObject({ code: 'unavailable' });
    expect(pauses).toEqual([1500, 2500, 4500]);
    expect(await store.runs()).toHaveLength(4);
  });

  it('a query fails if the portal does not answer in time', async () => {
    const hang = (_: Request, init: RequestInit) =>
      new Promise<never>((_, reject) => init.signal?.addEventListener('abort', () => reject(init.signal?.reason)));
    const { store, asked } = fakeStore({ first: hang, timeout: 5 });
    await expect(store.runs()).rejects.toMatchObject({
      code: 'unavailable',
      message: `cannot read ${endpoint}: no byte came for 0.005 s`,
    });
    expect(asked).toHaveLength(4);
  });

  /** An answer in pieces, with a pause before each. */
  const inPieces = (text: string, pause: number): Response => {
    const pieces = text.match(/.{1,200}/gs)!.values();
    return new Response(
      new ReadableStream({
        async pull(controller) {
          await new Promise((resolve) => setTimeout(resolve, pause));
          const { done, value } = pieces.next();
          if (done) controller.close();
          else controller.enqueue(new TextEncoder().encode(value));
        },
      }),
    );
  };

  it('a query may take any time as long as its answer arrives steadily', async () => {
    const tables = manyRuns(40);
    const { store, asked } = fakeStore({
      tables,
      first: async (request) => {
        const question = await questionOf(request);
        return question && inPieces(JSON.stringify(answerQuestion(tables, question)), 60);
      },
      timeout: 400,
    });
    const started = performance.now();
    expect(await store.runs()).toHaveLength(40);
    expect(performance.now() - started).toBeGreaterThan(400);
    expect(asked).toEqual(['runs']);
  });

  it('a query follows a redirect with its question, ten times at most', async () => {
    let left = 10;
    const redirect = () => new Response('', { status: 307, headers: { Location: endpoint } });
    const { store } = fakeStore({ first: () => (left-- > 0 ? redirect() : undefined) });
    expect(await store.runs()).toHaveLength(4);
    const circle = fakeStore({ first: redirect }).store;
    await expect(circle.runs()).rejects.toMatchObject({
      code: 'unavailable',
      message: `cannot read ${endpoint}: the server redirected more than 10 times`,
    });
  });

  it('an answer of the portal has at most maxMetadataBytes', async () => {
    const tables = manyRuns(40);
    await expect(fakeStore({ tables, maxMetadataBytes: 1000 }).store.runs()).rejects.toMatchObject({
      code: 'unsupported',
      option: 'maxMetadataBytes',
    });
    expect(await fakeStore({ tables, maxMetadataBytes: 100_000 }).store.runs()).toHaveLength(40);
  });

  it.each([
    ['17', 17_000],
    ['0.1', 1500],
    ['86400', 1500],
    ['Wed, 21 Oct 2026 07:28:00 GMT', 1500],
  ])('a query waits as the server asks by Retry-After %s, within reason', async (value, milliseconds) => {
    let left = 1;
    const busy = () => new Response('', { status: 503, headers: { 'Retry-After': value } });
    const { store, pauses } = fakeStore({ first: () => (left-- > 0 ? busy() : undefined) });
    await store.runs();
    expect(pauses).toEqual([milliseconds]);
  });
});

describe('what is no trouble that may pass', () => {
  it.each([
    [
      'a question that is refused',
      { errors: [{ message: "Cannot query field 'x'" }] },
      400,
      'unsupported',
      /rejects .*field 'x'/,
    ],
    ['a refusal with the status 200', { errors: [{ message: 'no' }] }, 200, 'unsupported', /rejects the query: no$/],
    ['a status without an answer', 'x', 403, 'unavailable', /has the status 403, expected 200/],
    ['text that is not JSON', '<html>', 200, 'invalid-metadata', /is not JSON/],
    ['a value that is not an object', [], 200, 'invalid-metadata', /not a JSON object: found an array/],
    ['neither data nor errors', {}, 200, 'invalid-metadata', /neither data nor errors/],
    ['another table', { data: { dogs: [] } }, 200, 'invalid-metadata', /holds no list "runs"/],
    ['a table that is not a list', { data: { runs: {} } }, 200, 'invalid-metadata', /holds no list "runs"/],
    [
      'a row that is not an object',
      { data: { runs: [{ id: 1, name: 'a', datasetId: 1 }, 7] } },
      200,
      'invalid-metadata',
      /runs\.1 is not/,
    ],
    [
      'a row without a name',
      { data: { runs: [{ id: 1, datasetId: 2 }] } },
      200,
      'invalid-metadata',
      /runs\.0: name is missing/,
    ],
  ])('a query fails at once with %s', async (_, body, status, code, message) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const { store, asked, pauses } = fakeStore({ first: () => new Response(text, { status }) });
    await expect(store.runs()).rejects.toEqual(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
    expect([asked, pauses]).toEqual([['runs'], []]);
  });

  it('a query gives an answer or a CryoetPicksError, whatever the server sends', async () => {
    const row = fc.dictionary(
      fc.constantFrom('id', 'name', 'datasetId', '__proto__'),
      fc.oneof(fc.integer(), fc.string(), fc.constant(null)),
    );
    const data = fc.record({ runs: fc.oneof(fc.array(row, { maxLength: 3 }), fc.anything()) });
    const body = fc.oneof(
      fc.json(),
      fc.string(),
      fc.record({ data, errors: fc.anything() }).map((one) => JSON.stringify(one)),
      data.map((one) => JSON.stringify({ data: one })),
    );
    await fc.assert(
      fc.asyncProperty(body, fc.constantFrom(200, 200, 400), async (text, status) => {
        const { store } = fakeStore({ first: () => new Response(text, { status }) });
        try {
          for (const run of await store.runs()) expect(run.run).toBe(String(run.id));
        } catch (error) {
          if (!isCryoetPicksError(error)) throw error;
        }
      }),
      { numRuns: 500 },
    );
    expect(({} as { name?: unknown }).name).toBeUndefined();
  });
});

describe('messages', () => {
  it('messages show neither headers nor the query of the endpoint', async () => {
    const secret = 'hunter2';
    const options = { endpoint: `${endpoint}?token=${secret}`, headers: { Authorization: secret } };
    for (const answer of [
      new Response('', { status: 500 }),
      new Response('x', { status: 403 }),
      Response.json({ data: {} }),
    ]) {
      const { store } = fakeStore({ ...options, first: () => answer.clone() });
      const error = await store.runs().catch((caught: unknown) => caught);
      expect(isCryoetPicksError(error)).toBe(true);
      expect(String(error)).not.toContain(secret);
    }
  });

  it('headers go to the endpoint only', async () => {
    const sent: [string, string | null][] = [];
    const { store } = fakeStore({
      headers: { 'X-Key': 'k' },
      first: (request) => void sent.push([new URL(request.url).hostname.split('.')[0], request.headers.get('x-key')]),
    });
    await store.get(`/ExperimentRuns/${first}/Picks/data-portal_17060_ribosome.json`);
    expect(sent).toEqual([
      ['graphql', 'k'],
      ['graphql', 'k'],
      ['files', null],
    ]);
  });

  describe('in a page', () => {
    afterEach(() => vi.unstubAllGlobals());

    it('messages in a page say that the portal may refuse its origin', async () => {
      vi.stubGlobal('location', new URL('https://my.example.org/picker'));
      const { store } = fakeStore({ first: () => Promise.reject(new TypeError('Failed to fetch')) });
      await expect(store.runs()).rejects.toThrow(
        /Failed to fetch\. The portal answers pages of few origins, and https:\/\/my\.example\.org may not be among them: give a `fetch` or an `endpoint`/,
      );
    });
  });
});

describe('an aborted signal', () => {
  it.each<[string, (store: ReturnType<typeof portalStore>, signal: AbortSignal) => Promise<unknown>]>([
    ['list', (store, signal) => store.list('/ExperimentRuns', { signal })],
    ['get', (store, signal) => store.get(`/ExperimentRuns/${first}/Picks/x.json`, { signal })],
    ['getRange', (store, signal) => store.getRange('/ExperimentRuns/1/Picks/x.json', { suffixLength: 1 }, { signal })],
    ['runs', (store, signal) => store.runs({ signal })],
    ['tomograms', (store, signal) => store.tomograms(first, { signal })],
    ['annotations', (store, signal) => store.annotations(first, { signal })],
  ])('an aborted signal ends %s with its reason, before and while it waits', async (_, call) => {
    const { store, asked } = fakeStore({ first: () => new Promise<never>(() => {}) });
    await expect(call(store, AbortSignal.abort('stop'))).rejects.toBe('stop');
    expect(asked).toEqual([]);
    const controller = new AbortController();
    const pending = call(store, controller.signal);
    controller.abort('stop');
    await expect(pending).rejects.toBe('stop');
  });

  it('an aborted signal stops a request when nobody else waits for it, and not before', async () => {
    const signals: AbortSignal[] = [];
    let answer: (() => void) | undefined;
    const { store } = fakeStore({
      first: (_, { signal }) => {
        if (signal) signals.push(signal);
        return new Promise<undefined>((resolve) => {
          answer = () => resolve(undefined);
        });
      },
    });
    const [one, two, three] = [new AbortController(), new AbortController(), new AbortController()];
    const pending = [one, two].map(({ signal }) => store.runs({ signal }));
    one.abort('one');
    await expect(pending[0]).rejects.toBe('one');
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    two.abort('two');
    await expect(pending[1]).rejects.toBe('two');
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    const last = store.runs({ signal: three.signal });
    await vi.waitFor(() => expect(signals).toHaveLength(2));
    answer?.();
    expect(await last).toHaveLength(4);
  });

  it('an aborted signal ends the pause between attempts', async () => {
    const { store, asked } = fakeStore({ first: () => new Response('', { status: 503 }) });
    vi.restoreAllMocks();
    const controller = new AbortController();
    const pending = store.runs({ signal: controller.signal });
    await vi.waitFor(() => expect(asked).toHaveLength(1));
    controller.abort('stop');
    await expect(pending).rejects.toBe('stop');
    expect(asked).toHaveLength(1);
  });
});

describe('portalStore', () => {
  it.each([
    ['an endpoint that is no URL', { endpoint: 'nowhere' }, /endpoint "nowhere" is not a URL/],
    ['a dataset that is not a number', { datasetIds: [1.5] }, /datasetIds contains 1.5/],
    ['a time-out of nothing', { timeout: 0 }, /timeout must be a number ≥ 1, found 0/],
  ])('portalStore refuses %s', (_, options, message) => {
    expect(() => portalStore({ datasetIds: [], objects: [], ...options })).toThrow(
      expect.objectContaining({ code: 'invalid-option', message: expect.stringMatching(message) }),
    );
  });
});
