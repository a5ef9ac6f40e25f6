/** The log port of core and the logger that fills it name the same fields. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Journal, JournalFields } from '../packages/server/src/core/ports.ts';
import { createLogger, type LogFields } from '../packages/server/src/log/index.ts';

/** Compiles only while every field that core may log has a class, and is not a secret. */
const unclassed: Exclude<keyof JournalFields, keyof LogFields> extends never ? 'none' : never = 'none';

test('the logger fills the log port of core', () => {
  const lines: string[] = [];
  const journal: Journal = createLogger({ write: (line) => lines.push(line) });
  const fields: JournalFields = { projectId: '100', sessionId: '1_abc', attempt: 2 };
  journal.record('info', 'a delivery is late', fields);
  const line = JSON.parse(lines[0] ?? '{}');
  assert.deepEqual([line.projectId, line.attempt, line.message], ['100', 2, 'a delivery is late']);
  assert.notEqual(line.sessionId, '1_abc');
  assert.equal(unclassed, 'none');
});
