import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Suite, suites } from '@cloister/protocol';
import { judge } from './leg.ts';

const all: Suite[] = [...suites, 'unknown'];

describe('the judgement of a leg', () => {
  for (const seen of all) {
    for (const reported of [null, ...all]) {
      const good = seen === 'AEAD_AES_256_GCM' && (reported === null || reported === seen);
      it(`require-aes256 ${good ? 'allows' : 'refuses'} ${seen} reported as ${reported}`, () => {
        const refusal = judge('require-aes256', seen, reported);
        assert.equal(refusal?.code ?? null, good ? null : 'SuiteRefused');
      });
      it(`prefer-aes256 allows ${seen} reported as ${reported}`, () => {
        assert.equal(judge('prefer-aes256', seen, reported), null);
      });
    }
  }
});
