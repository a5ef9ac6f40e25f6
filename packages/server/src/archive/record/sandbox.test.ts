import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JournalFields } from '../../core/index.ts';
import { type SandboxPolicy, SandboxTrial } from './sandbox.ts';

/** A machine on which the trials end like this, by turns; the last one again and again. */
function machine(policy: SandboxPolicy, ...ends: (string | null)[]) {
  const lines: { level: string; message: string; fields: JournalFields }[] = [];
  let trials = 0;
  const trial = new SandboxTrial(
    policy,
    { record: (level, message, fields = {}) => void lines.push({ level, message, fields }) },
    async () => {
      trials += 1;
      return ends[Math.min(trials, ends.length) - 1] ?? null;
    },
  );
  return { trial, lines, trials: () => trials };
}

test('one trial that failed is not the last: the next recorder is shut in again', async () => {
  const { trial, trials } = machine('prefer', 'fork: Resource temporarily unavailable', null);
  assert.equal(await trial.forRecorder(), 'none');
  assert.equal(await trial.forRecorder(), 'bubblewrap');
  assert.equal(await trial.forRecorder(), 'bubblewrap');
  assert.equal(trials(), 2, 'what succeeded is remembered');
});

test('require: no recorder runs outside of a sandbox, and the refusal has a code', async () => {
  const { trial, lines } = machine('require', 'bwrap: No permissions to create new namespace', null);
  await assert.rejects(trial.forRecorder(), { code: 'SandboxMissing' });
  assert.equal(await trial.forRecorder(), 'bubblewrap');
  assert.equal(lines.length, 1);
});

test('each trial that fails is a warning that says what was said, cut to a bound', async () => {
  const { trial, lines } = machine('prefer', 'no namespaces '.repeat(1000));
  for (const _ of [1, 2]) assert.equal(await trial.here(), 'none');
  assert.deepEqual(
    lines.map(({ level, fields }) => [level, fields.sandbox, fields.policy, fields.error?.length]),
    [1, 2].map(() => ['warn', 'none', 'prefer', 500]),
  );
  assert.match(lines[0]?.fields.error ?? '', /^no namespaces/);
});
