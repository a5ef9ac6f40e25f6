/**
 * The file of plans that operators edit: JSON, read once at the start.
 *
 *     { "versions": [ {
 *         "version": "2027", "effective": "2027-01-01",
 *         "plans": ["standard", "growth"],
 *         "features": { "media.aes256": { "standard": "add-on", "growth": "included" }, … }
 *     } ] }
 *
 * Every feature stands in every version, and in it every plan. `effective` is a day (its beginning in UTC) or a time with an
 * offset (RFC 3339).
 */
import { readFileSync, statSync } from 'node:fs';
import { PlatformError } from '@cloister/protocol/errors';
import { limits } from '@cloister/protocol/limits';
import { z } from 'zod';
import { type Feature, features, offers, PlanBook, type PlanTable, plansRefused } from './core/index.ts';
import { nearestName } from './lib/index.ts';

const offer = z.enum(offers, { error: `it must be one of: ${offers.join(', ')}` });
const moment = z
  .union([z.iso.date(), z.iso.datetime({ offset: true })], {
    error: 'it must be a day such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z',
  })
  .transform((text) => Date.parse(text));

const planFile = z.strictObject({
  versions: z.array(
    z.strictObject({
      version: z.string().min(1),
      effective: moment,
      plans: z.array(z.string()),
      features: z.record(z.string(), z.record(z.string(), offer)),
    }),
  ),
});

/**
 * Reads the file that the setting `plansFile` names.
 * @param now milliseconds since 1970: a version must hold by then
 * @throws PlatformError `PlansRefused` that names the file, or the place in it, and what is wrong
 */
export function readPlans(file: string, now: number): PlanBook {
  let text: string;
  try {
    const { size } = statSync(file);
    if (size > limits.plansFileBytes) throw plansRefused(file, `it is larger than ${limits.plansFileBytes} bytes`);
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof PlatformError) throw error;
    throw plansRefused(file, `it could not be read: ${(error as NodeJS.ErrnoException).code}`);
  }
  return parsePlans(text, now);
}

/** The same for its text. @throws PlatformError `PlansRefused` */
export function parsePlans(text: string, now: number): PlanBook {
  const parsed = planFile.safeParse(jsonOf(text));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw plansRefused(placeOf(issue!.path), issue!.message);
  }
  const book = new PlanBook(
    parsed.data.versions.map(({ version, effective, plans, features: given }, index): PlanTable => {
      requireKnown(given, `versions[${index}].features`);
      // Whether all are there is looked at with the rest.
      return { version, effectiveAt: effective, plans, features: given as PlanTable['features'] };
    }),
  );
  const [first] = book.versions;
  if (first!.effectiveAt > now) {
    throw plansRefused('versions[0].effective', 'no version holds yet; the first must have taken effect');
  }
  return book;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const [, at] = /at (?:position )?(\d+|line \d+ column \d+)/.exec((error as Error).message) ?? [];
    throw plansRefused(at === undefined ? 'its end' : `position ${at}`, 'it is not JSON');
  }
}

function requireKnown(given: Readonly<Record<string, unknown>>, place: string): void {
  for (const name of Object.keys(given)) {
    if (features.includes(name as Feature)) continue;
    const near = nearestName(name, features);
    throw plansRefused(
      `${place}["${name.slice(0, limits.planNameChars)}"]`,
      `there is no such feature${near ? `; did you mean ${near}?` : ''}`,
    );
  }
}

function placeOf(path: readonly PropertyKey[]): string {
  const steps = path.map((step) => {
    if (typeof step === 'number') return `[${step}]`;
    return /^[a-z]+$/i.test(String(step)) ? `.${String(step)}` : `["${String(step).slice(0, limits.planNameChars)}"]`;
  });
  return steps.join('').replace(/^\./, '') || 'the file';
}
