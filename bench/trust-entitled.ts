/** What it costs to ask whether an account has a feature: with a history of terms, and tables of plans to come. */
import { features, firstTable, PlanBook } from '../packages/server/src/core/index.ts';
import { testPlatform } from '../tests/core/platform.ts';
import { figure, median, percentile, quick, type Result } from './harness/figure.ts';

const BATCHES = quick ? 20 : 200;
const CHECKS = 10_000;
const CHANGES = 50;

async function measure(): Promise<Result> {
  const later = Array.from({ length: 9 }, (_, index) => ({
    ...firstTable,
    version: `later-${index}`,
    effectiveAt: 4_000_000_000_000 + index,
  }));
  const { core, accountId, close } = await testPlatform('growth', { plans: new PlanBook([firstTable, ...later]) });
  for (let count = 0; count < CHANGES; count += 1) {
    const change = count % 2 === 0 ? { buy: ['zone.de'] as const } : { drop: ['zone.de'] as const };
    await core.accounts.changePlan({ kind: 'operator', via: 'cli' }, accountId, change);
  }
  const took: number[] = [];
  for (let batch = 0; batch < BATCHES; batch += 1) {
    const began = performance.now();
    for (let check = 0; check < CHECKS; check += 1) {
      await core.accounts.entitled(accountId, features[check % features.length]!);
    }
    took.push(((performance.now() - began) * 1000) / CHECKS);
  }
  await close();
  const each = median(took);
  return {
    rows: [
      {
        what: 'whether an account has a feature',
        ours: `${each.toFixed(2)} µs`,
        other: null,
        target: { text: 'at most 2 µs', measured: each, most: 2 },
      },
    ],
    notes: [
      `An account with ${CHANGES + 1} changes of terms, a table of plans with ten versions; ${CHECKS.toLocaleString('en')} checks in a row, ${BATCHES} times; the slowest hundredth of these took ${percentile(took, 0.99).toFixed(2)} µs a check.`,
    ],
  };
}

await figure(measure);
