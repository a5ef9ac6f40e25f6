/** docs/reference/clients.md, from what the full run of the tests has seen of each client. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Measured } from '../../tests/rig/measured.ts';
import { type Generator, table } from './page.ts';

const file = path.resolve(import.meta.dirname, '../../docs/internals/clients.json');

/** Every client that OpenTok names, and what stands in the way where no test can run it. */
const clients: readonly { name: string; note: string }[] = [
  { name: 'Chromium', note: 'Chrome, Edge and Opera have the same engine; they are not tested by themselves.' },
  {
    name: 'Firefox',
    note: 'Meets the media server at any address but loopback. Has no H.264 without its own plug-in, and then gets VP8.',
  },
  { name: 'wrtc (Node)', note: 'A client without 256-bit suites, for the tests of the fall-back and of the refusal.' },
  {
    name: 'Safari',
    note: 'Not measured: it runs on no machine of the tests. The client script asks nothing of it that it does not document.',
  },
  { name: 'iOS (native SDK)', note: 'Not offered. A page in Safari on iOS is the web client.' },
  { name: 'Android (native SDK)', note: 'Not offered. A page in Chrome on Android is the web client.' },
  { name: 'Windows (native SDK)', note: 'Not offered. A page in a browser on Windows is the web client.' },
];

export const clientsPage: Generator = {
  file: 'docs/reference/clients.md',
  generate() {
    const measured = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Measured>;
    const rows = clients.map(({ name, note }) => {
      const seen = measured[name];
      if (!seen) return [name, '-', note.startsWith('Not offered') ? 'not offered' : 'not measured', '-', note];
      const { version, suites, test, day } = seen;
      return [name, version, `${suites.send} / ${suites.receive}`, `${day}, \`${test}\``, note];
    });
    return [
      '# Clients',
      '',
      'The SRTP suite of each client in a routed session: to the server / from the server. Both ends named it, the server by',
      'its own DTLS and the browser by its statistics. `npm run test:full` measures and writes this.',
      '',
      table(['client', 'version', 'suites', 'measured', 'note'], rows),
    ].join('\n');
  },
};
