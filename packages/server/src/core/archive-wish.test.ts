import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits } from '@cloister/protocol';
import fc from 'fast-check';
import { seed, times } from '../../../../tests/sample.ts';
import { type ArchiveWish, planArchive } from './archive-wish.ts';

const plan = (wish: Partial<ArchiveWish> = {}) => planArchive({ sessionId: 's', ...wish }, () => {});
const refused = (wish: Partial<ArchiveWish>, why: RegExp) =>
  assert.throws(() => plan(wish), { code: 'BadRequest', message: why });

describe('what an archive may be', () => {
  it('is composed of all streams, sound and picture, at 640x480, where nothing else is asked for', () => {
    assert.deepEqual(plan(), {
      name: '',
      hasAudio: true,
      hasVideo: true,
      outputMode: 'composed',
      layout: { type: 'bestFit' },
      resolution: '640x480',
      streamMode: 'auto',
      multiArchiveTag: null,
      maxBitrate: null,
      quantizationParameter: null,
    });
  });

  it('has sound or a picture', () => {
    assert.equal(plan({ hasAudio: false }).hasVideo, true);
    assert.equal(plan({ hasVideo: false }).hasAudio, true);
    refused({ hasAudio: false, hasVideo: false }, /cannot both be false/);
  });

  it('has no layout, resolution or rate where the tracks stay apart', () => {
    assert.equal(plan({ outputMode: 'individual' }).resolution, null);
    refused({ outputMode: 'individual', resolution: '640x480' }, /resolution needs the outputMode composed/);
    refused({ outputMode: 'individual', layout: { type: 'pip' } }, /layout needs/);
    refused({ outputMode: 'individual', maxBitrate: 200_000 }, /maxBitrate needs/);
    refused({ outputMode: 'individual', quantizationParameter: 20 }, /quantizationParameter needs/);
    refused({ outputMode: 'both' }, /outputMode must be one of composed, individual/);
    refused({ streamMode: 'some' }, /streamMode must be one of auto, manual/);
    refused({ resolution: '800x600' }, /resolution must be one of 640x480, 480x640/);
  });

  it('archiveBitrateBpsMin to archiveBitrateBpsMax, or archiveQuantizationMin to archiveQuantizationMax', () => {
    for (const maxBitrate of [limits.archiveBitrateBpsMin, limits.archiveBitrateBpsMax]) plan({ maxBitrate });
    for (const quantizationParameter of [limits.archiveQuantizationMin, limits.archiveQuantizationMax]) {
      plan({ quantizationParameter });
    }
    for (const maxBitrate of [limits.archiveBitrateBpsMin - 1, limits.archiveBitrateBpsMax + 1, 200_000.5]) {
      refused({ maxBitrate }, /maxBitrate must be a whole number from 100000 to 6000000/);
    }
    for (const quantizationParameter of [limits.archiveQuantizationMin - 1, limits.archiveQuantizationMax + 1]) {
      refused({ quantizationParameter }, /quantizationParameter must be a whole number from 15 to 40/);
    }
    refused({ maxBitrate: 200_000, quantizationParameter: 20 }, /exclude each other/);
  });

  it('has a name and a tag of archiveTextChars characters at most', () => {
    const [most, more] = ['x'.repeat(limits.archiveTextChars), 'x'.repeat(limits.archiveTextChars + 1)];
    assert.equal(plan({ name: most, multiArchiveTag: most }).name, most);
    refused({ name: more }, /name is longer than 512/);
    refused({ multiArchiveTag: more }, /multiArchiveTag is longer than 512/);
  });

  it('property: any wish is a plan or a refusal that names what is wrong', () => {
    const text = fc.string();
    const wish = fc.record(
      {
        sessionId: text,
        name: text,
        outputMode: fc.oneof(text, fc.constantFrom('composed', 'individual')),
        streamMode: fc.oneof(text, fc.constantFrom('auto', 'manual')),
        resolution: fc.oneof(text, fc.constantFrom('640x480', '1920x1080')),
        maxBitrate: fc.double(),
        quantizationParameter: fc.oneof(fc.double(), fc.integer({ min: 10, max: 50 })),
        hasAudio: fc.boolean(),
        hasVideo: fc.boolean(),
      },
      { requiredKeys: ['sessionId'] },
    );
    fc.assert(
      fc.property(wish, (asked) => {
        try {
          const made = planArchive(asked, () => {});
          assert.ok(made.hasAudio || made.hasVideo);
          assert.equal(made.resolution === null, made.outputMode === 'individual');
        } catch (error) {
          assert.equal((error as { code: string }).code, 'BadRequest');
        }
      }),
      { seed, numRuns: times(200, 5000) },
    );
  });
});
