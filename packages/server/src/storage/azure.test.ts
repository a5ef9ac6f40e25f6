import assert from 'node:assert/strict';
import { it } from 'node:test';
import { PlatformError } from '@cloister/protocol';
import { AzureBucket } from './azure.ts';
import type { UploadFault } from './fault.ts';
import type { Wire } from './wire.ts';

const target = { type: 'azure', accountName: 'clinic', accountKey: 'a2V5', container: 'visits', domain: null } as const;

/** A container whose service always gives this answer. */
function bucketThat(request: Wire['request']): AzureBucket {
  return new AzureBucket(target, '7/id/archive.ts', { request }, new AbortController().signal);
}

const says = (status: number, code: string) =>
  bucketThat(async () => ({ status, headers: { 'x-ms-error-code': code }, body: Buffer.alloc(0) }));

it('a part goes to the public cloud over TLS, with its digest and a signature', async () => {
  const asked: Parameters<Wire['request']>[0][] = [];
  const bucket = bucketThat(async (call) => {
    asked.push(call);
    return { status: 201, headers: {}, body: Buffer.alloc(0) };
  });
  await bucket.sendPart('mark', 1, Buffer.from('part'));
  const [call] = asked;
  assert.match(call?.url ?? '', /^https:\/\/clinic\.blob\.core\.windows\.net\/visits\/7\/id\/archive\.ts\?/);
  const headers = Object.fromEntries(
    Object.entries(call?.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
  );
  assert.match(headers.authorization ?? '', /^SharedKey clinic:/);
  assert.ok(headers['content-md5']);
  assert.equal(asked.length, 1);
});

it('what the service refuses has a kind, and is asked once', async () => {
  for (const [status, code, kind] of [
    [403, 'AuthenticationFailed', 'credentials'],
    [403, 'AuthorizationPermissionMismatch', 'denied'],
    [403, 'SomethingNew', 'denied'],
    [404, 'ContainerNotFound', 'missing'],
    [400, 'InvalidBlockList', 'lost'],
    [503, 'ServerBusy', 'busy'],
    [500, 'SomethingNew', 'busy'],
    [400, 'SomethingNew', 'refused'],
  ] as const) {
    await assert.rejects(says(status, code).sendPart('mark', 1, Buffer.from('part')), { kind });
  }
});

it('an address that the egress refuses or cannot reach is said', async () => {
  for (const [code, kind] of [
    ['DestinationRefused', 'forbidden'],
    ['DestinationFailed', 'unreachable'],
  ] as const) {
    const bucket = bucketThat(async () => {
      throw new PlatformError(code, { destination: 'https://10.0.0.1', why: 'it is so' });
    });
    await assert.rejects(bucket.sendPart('mark', 1, Buffer.from('part')), (fault: UploadFault) => {
      assert.equal(fault.kind, kind);
      assert.doesNotMatch(fault.message, /10\.0/);
      return true;
    });
  }
});
