/** The script of the guide on encrypted archives, as it is written there: from a certificate to the opened file. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { command, tempFolder } from '../rig/cleanup.ts';
import { S3Double } from '../rig/s3-double.ts';
import { useStage } from './stage.ts';

const root = path.resolve(import.meta.dirname, '../..');
const guide = readFileSync(path.join(root, 'docs/guides/encrypted-archives.md'), 'utf8');
const recordedSeconds = 4;
const scriptMs = 60_000;
const linesMost = 60;

const stage = useStage();

/** The code blocks of the guide in a language. */
function blocks(language: string): string[] {
  return [...guide.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, code = '']) => code);
}

test('the script has at most sixty lines, and opens the file with the commands of the guide', () => {
  const [script = ''] = blocks('js');
  assert.ok(script.trim().split('\n').length <= linesMost);
  const documented = blocks('sh').find((block) => block.includes('openssl pkeyutl')) as string;
  // In a template of JavaScript a backslash is written twice.
  assert.ok(script.replaceAll('\\\\\n', '\\\n').includes(documented.trim()), documented);
});

test('certificate, storage, recording, webhook, download, openssl, deletion', async () => {
  const folder = tempFolder('script');
  const [script = ''] = blocks('js');
  writeFileSync(path.join(folder, 'archive.mjs'), script);
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  const sessionId = await stage.customer.session();
  const participant = await stage.open();
  await participant.join(stage.customer.ticket(sessionId), null);
  await participant.publish();
  const { apiKey, apiSecret } = stage.customer.credentials;
  const env = {
    PATH: process.env.PATH,
    CLOISTER_URL: stage.server.url,
    API_KEY: apiKey,
    API_SECRET: apiSecret,
    SESSION_ID: sessionId,
    // A bucket on this machine that knows no key.
    S3_ENDPOINT: (await S3Double.start()).endpoint,
    SECONDS: String(recordedSeconds),
  };
  const { stdout } = await promisify(execFile)(process.execPath, ['archive.mjs'], {
    cwd: folder,
    env,
    timeout: scriptMs,
  });
  // `deleted` may come as well, before the script ends.
  const statuses = stdout
    .trim()
    .split('\n')
    .map((line) => line.split(' ')[1]);
  assert.deepEqual(statuses.slice(0, 3), ['started', 'stopped', 'available']);
  const clear = path.join(folder, 'clear.ts');
  const probed = JSON.parse(
    command('ffprobe', ...['-v', 'error', '-show_format', '-show_streams', '-of', 'json', clear]),
  );
  assert.equal(probed.format.format_name, 'mpegts');
  assert.deepEqual(probed.streams.map(({ codec_name }: { codec_name: string }) => codec_name).sort(), ['aac', 'h264']);
  const seconds = Number(probed.format.duration);
  assert.ok(seconds > recordedSeconds - 0.5 && seconds < recordedSeconds + 3, `${seconds} s`);
  const [archiveId = ''] = stdout.split(' ');
  assert.equal(existsSync(path.join(stage.server.dataDir, 'archives', archiveId)), false);
  assert.deepEqual(await stage.customer.rest('GET', `/v2/project/${apiKey}/callback`, 'project'), []);
  await participant.close();
});
