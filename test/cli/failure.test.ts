import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { loadRuntime } from '../../src/cli/runtime.ts';
import { describeFailure } from '../../src/cli/terminal.ts';
import { CryoetPicksError } from '../../src/entry/index.ts';

it.each([
  ['ours', new CryoetPicksError('not-found', 'run "a" not found'), 'not-found', 'run "a" not found'],
  ['of several lines', new CryoetPicksError('invalid-config', 'bad\n  thing'), 'invalid-config', 'bad thing'],
  [
    'a bug',
    new TypeError('x is undefined'),
    'unexpected',
    'unexpected TypeError: x is undefined (--verbose shows where)',
  ],
  ['no error at all', 'boom', 'unexpected', 'boom'],
])('an error is reported in one line: %s', (_, error, code, message) => {
  expect(describeFailure(error)).toEqual({ code, message });
});

it('an error of the operating system is reported in its words', async () => {
  const error = await readFile('/no/such/file').catch((reason: unknown) => reason);
  expect(describeFailure(error)).toEqual({
    code: 'ENOENT',
    message: 'cannot access /no/such/file: no such file or folder (ENOENT)',
  });
});

it('a missing ONNX runtime is reported with the command that installs it', async () => {
  const absent = Object.assign(new Error("Cannot find package 'onnxruntime-node'"), { code: 'ERR_MODULE_NOT_FOUND' });
  const failure = describeFailure(await loadRuntime(() => Promise.reject(absent)).catch((error: unknown) => error));
  expect(failure.code).toBe('model-failed');
  expect(failure.message).toMatch(
    /^onnxruntime-node, which runs the network, is not installed; install it with "npm install/,
  );
  for (const way of [
    '--ignore-scripts',
    'ONNXRUNTIME_NODE_INSTALL=skip',
    '"allowScripts": {"onnxruntime-node": false}',
  ]) {
    expect(failure.message).toContain(way);
  }
});

it('an installed ONNX runtime that does not load is reported with the reason', async () => {
  const broken = Object.assign(new Error('libonnxruntime.so.1: cannot open shared object file'), {
    code: 'ERR_DLOPEN_FAILED',
  });
  await expect(loadRuntime(() => Promise.reject(broken))).rejects.toThrow(
    'onnxruntime-node, which runs the network, cannot be loaded (libonnxruntime.so.1: cannot open shared object file)',
  );
});

it.each([
  ['is absent', 'ERR_MODULE_NOT_FOUND', "Cannot find package 'onnxruntime-node'", 'is not installed'],
  [
    'does not load',
    'ERR_DLOPEN_FAILED',
    'cannot open libonnxruntime.so.1\nat x',
    'cannot be loaded (cannot open libonnxruntime.so.1)',
  ],
])(
  'an ONNX runtime that %s is replaced by the one in WebAssembly, with one line that says so',
  async (_, code, message, why) => {
    const lines: string[] = [];
    const runtime = await loadRuntime(() => Promise.reject(Object.assign(new Error(message), { code })), {
      fallback: () => import('onnxruntime-web'),
      warn: (line) => lines.push(line),
    });
    expect(runtime.InferenceSession).toBe((await import('onnxruntime-web')).InferenceSession);
    expect(lines).toEqual([
      `cryoet-picks: onnxruntime-node ${why}; the network runs in WebAssembly (onnxruntime-web), which is slower`,
    ]);
  },
);

it('a missing ONNX runtime is reported with both ways to install one, if that in WebAssembly is missing too', async () => {
  const missing = () => Promise.reject(Object.assign(new Error('none'), { code: 'ERR_MODULE_NOT_FOUND' }));
  const loading = loadRuntime(missing, { fallback: missing, warn: () => expect.unreachable() });
  await expect(loading).rejects.toMatchObject({
    code: 'model-failed',
    message: expect.stringMatching(
      /is not installed; .*onnxruntime-node --ignore-scripts.*"npm install onnxruntime-web"/,
    ),
  });
});
