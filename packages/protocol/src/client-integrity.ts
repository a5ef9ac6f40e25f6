/**
 * What stands beside the client's bundles as `integrity.json`: a hash of each, as pages name it in `integrity`
 * (W3C Subresource Integrity, section 3.1).
 */
import { z } from 'zod';

export const clientIntegrity = z.object({
  /** Of the platform that the bundles were built of. */
  version: z.string(),
  files: z.array(
    z.object({
      /** `opentok.min.js` defines the global `OT`; `cloister-client.mjs` is the same as a module. */
      file: z.string(),
      bytes: z.number(),
      /** `sha384-` and the SHA-384 of the file in base64. */
      integrity: z.string(),
    }),
  ),
});

export type ClientIntegrity = z.infer<typeof clientIntegrity>;

/** The element that loads a script and nothing else in its place. Both arguments must be free of quotes. */
export function scriptElement(url: string, integrity: string): string {
  return `<script src="${url}" integrity="${integrity}" crossorigin="anonymous"></script>`;
}
