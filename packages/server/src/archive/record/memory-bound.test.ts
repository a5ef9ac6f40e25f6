import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '@cloister/protocol';
import { requireMemory } from './memory-bound.ts';

test('a recorder may take archiveRecorderBytes, and not one more', () => {
  requireMemory();
  requireMemory(limits.archiveRecorderBytes);
  assert.throws(() => requireMemory(limits.archiveRecorderBytes + 1), /the recorder took 1200000001 bytes of memory/);
});
