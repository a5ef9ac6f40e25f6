/** Loads the client SDK from this server, as a customer's page does. */
import type * as Client from '@cloister/client';
import type { Ot } from './ot.ts';

const SCRIPT = '/v2/js/opentok.min.js';

/** The SDK's own types fit what this page asks of them; where they do not, this line does not compile. */
type Fits<Has extends Needs, Needs> = Has;
export type Sdk = Fits<Pick<typeof Client, keyof Ot>, Ot>;

/** Where the script puts its global. */
const page = globalThis as { OT?: Ot };

/**
 * The global `OT`, once its script has run.
 * @throws when the script cannot be fetched or does not define it
 */
export function loadOt(): Promise<Ot> {
  if (page.OT) return Promise.resolve(page.OT);
  return new Promise((resolve, reject) => {
    const script = document.createElement('script');
    const fail = () => reject(new Error(`${SCRIPT} could not be loaded from this server`));
    script.src = SCRIPT;
    script.onerror = fail;
    script.onload = () => (page.OT ? resolve(page.OT) : fail());
    document.head.append(script);
  });
}
