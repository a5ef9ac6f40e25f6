/**
 * A program written for the published typings of @opentok/client compiles against our SDK: the compiler compares every
 * member with what those typings promise.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import * as ours from '@cloister/client';
import { fates, keyOf } from '../../scripts/docs/client-members.ts';
import { expectedModule, type Member, membersOf, typingsText } from '../../scripts/docs/opentok-typings.ts';

const root = path.resolve(import.meta.dirname, '../..');
const text = typingsText();
const members = membersOf(text);

/** Files of a program that is compiled and thrown away. */
function compile(files: Record<string, string>): string[] {
  // Inside the repository, so that packages are found, but where no other compilation looks.
  mkdirSync(path.join(root, 'tmp'), { recursive: true });
  const folder = mkdtempSync(path.join(root, 'tmp/typings-'));
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(path.join(folder, name), content);
    const config = {
      extends: '../../tsconfig.json',
      compilerOptions: { skipLibCheck: true, types: [] },
      include: ['./*.ts'],
    };
    writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify(config));
    const tsc = path.join(root, 'node_modules/.bin/tsc');
    const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], {
      encoding: 'utf8',
    });
    const lines = stdout.split('\n').filter((line) => line !== '');
    assert.ok(status === 0 || lines.length > 0, 'the compiler did not run');
    return lines;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One line for each member, so that an error names the member. */
function comparison(member: Member): string | null {
  const { owner, kind, name } = member;
  if (kind === 'event') return null;
  if (kind === 'type') {
    // Two of them are about any event's type or target.
    const parameters = { Event: "<'x', null>", VideoDimensionsChangedEvent: '<null>' }[name] ?? '';
    return fates[keyOf(member)] ? null : `export type Type_${name} = ours.${name}${parameters};`;
  }
  if (owner === 'OT') return `export const OT_${name}: typeof expected.${name} = ours.${name};`;
  const value = `null as unknown as ours.${owner}['${name}']`;
  // What a program hands in: everything that the typings allow is accepted here.
  if (owner.endsWith('Properties')) {
    const given = `expected.${owner}['${name}']`;
    return `export const ${owner}_${name}: ours.${owner}['${name}'] = null as unknown as ${given};`;
  }
  return `export const ${owner}_${name}: expected.Expected${owner}['${name}'] = ${value};`;
}

/** Handlers as a program writes them: of the event that the typings name. */
function listening(owner: string): string {
  const events = members.filter((member) => member.owner === owner && member.kind === 'event');
  const lines = events
    .filter((member) => fates[keyOf(member)]?.how !== 'absent')
    .map(({ name }) => {
      const given = `(event: expected.${owner}Events['${name}']) => void`;
      return `a${owner}.on('${name}', null as unknown as ${given});`;
    });
  return [`declare const a${owner}: ours.${owner};`, ...lines].join('\n');
}

test('every member that is offered keeps the promise of the published typings', () => {
  const lines = members.flatMap((member) => {
    const fate = fates[keyOf(member)];
    const line = comparison(member);
    return line && !(fate?.how === 'absent' && member.owner.endsWith('Properties')) ? [line] : [];
  });
  assert.ok(lines.length > 120, `only ${lines.length} members were found`);
  const program = [
    "import * as ours from '@cloister/client';",
    "import type * as expected from './expected.d.ts';",
    ...lines,
  ];
  const errors = compile({
    'expected.d.ts': expectedModule(text, '@cloister/client'),
    'program.ts': program.join('\n'),
  });
  assert.deepEqual(errors, []);
});

test('handlers that are typed by the published typings may be added here', () => {
  const program = [
    "import type * as ours from '@cloister/client';",
    "import type * as expected from './expected.d.ts';",
    ...['Session', 'Publisher', 'Subscriber'].map(listening),
    'export {};',
  ];
  const errors = compile({
    'expected.d.ts': expectedModule(text, '@cloister/client'),
    'program.ts': program.join('\n'),
  });
  assert.deepEqual(errors, []);
});

test('a program as customers write it compiles against both', () => {
  const body = `
const session = OT.initSession('key', 'session', { connectionEventsSuppressed: true });
const publisher: OT.Publisher = OT.initPublisher('me', { insertMode: 'append', resolution: '1280x720', frameRate: 15 }, (error) => {
  if (error) console.log(error.name, error.message);
});
publisher.on({ streamCreated: () => undefined }, publisher);
publisher.on('videoDisabled', ({ reason }) => console.log(reason));
publisher.once('streamDestroyed', (event) => { event.preventDefault(); console.log(event.reason, event.stream.streamId); });
session.on('streamCreated', ({ stream }) => {
  const subscriber = session.subscribe(stream, 'them', { insertMode: 'append', preferredResolution: 'auto' }, (error) => console.log(error?.name));
  subscriber.on('audioLevelUpdated', ({ audioLevel }) => console.log(audioLevel.toFixed(2)));
  subscriber.subscribeToVideo(false).setAudioVolume(50);
  void subscriber.setPreferredResolution({ width: 320, height: 180 });
});
session.on('signal:chat', (event) => console.log(event.data, event.from?.connectionId));
session.on('streamPropertyChanged', (event) => {
  if (event.changedProperty === 'videoDimensions') console.log(event.newValue.width);
});
session.on('connectionDestroyed', ({ connection, reason }) => console.log(connection.data, reason));
session.connect('token', (error) => {
  if (error) throw error;
  session.publish(publisher, (failed) => console.log(failed?.message));
});
void session.signal({ type: 'chat', data: 'hello', retryAfterReconnect: false });
void session.forceMuteAll([]).then(() => session.disableForceMute());
void publisher.getStats((error, stats) => console.log(error, stats?.[0]?.stats.video.layers?.[0]?.width));
void publisher.publishVideo.promise(false);
void OT.getDevices().then((devices) => devices.filter(({ kind }) => kind === 'videoInput'));
OT.on('exception', ({ code, title }) => console.log(code, title));
OT.setLogLevel(5);
void OT.initPublisher.promise('me').then((made: OT.Publisher) => session.publish.promise(made));
`;
  assert.deepEqual(compile({ 'program.ts': `import * as OT from '@opentok/client';\n${body}` }), []);
  assert.deepEqual(compile({ 'program.ts': `import * as OT from '@cloister/client';\n${body}` }), []);
});

test('the table of members names nothing that the typings do not have', () => {
  const known = new Set(members.map(keyOf));
  assert.deepEqual(
    Object.keys(fates).filter((key) => !known.has(key)),
    [],
  );
});

test('every member exists here, also those that only refuse', () => {
  const surface: Record<string, unknown> = { ...ours };
  const missing = members.filter(({ owner, kind, name }) => owner === 'OT' && kind === 'function' && !surface[name]);
  assert.deepEqual(missing, []);
});
