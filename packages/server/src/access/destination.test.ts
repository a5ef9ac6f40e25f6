import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits, PlatformError } from '@cloister/protocol';
import { localAddresses } from '../lib/index.ts';
import { createAddressJudge, type EgressMode, type OwnAddress, parseDestination } from './destination.ts';

function whyRefused(text: string): string {
  try {
    parseDestination(text);
  } catch (error) {
    assert.ok(error instanceof PlatformError);
    assert.equal(error.code, 'DestinationRefused');
    assert.ok(!/secret|password1/.test(JSON.stringify(error.toBody())), 'no secret in the refusal');
    return String(error.details.why);
  }
  return 'allowed';
}

function judge(
  address: string,
  options: { mode?: EgressMode; own?: readonly OwnAddress[]; port?: number; secure?: boolean } = {},
) {
  const { mode = 'production', own = [], port = 443, secure = true } = options;
  const destinations = [
    { prefix: { address: '10.1.0.0', bits: 16 }, port: 8443 },
    { prefix: { address: '127.0.0.1', bits: 32 }, port: 443 },
    { prefix: { address: '169.254.0.0', bits: 16 }, port: 80 },
    { prefix: { address: '8.8.4.4', bits: 32 }, port: 25 },
  ];
  return createAddressJudge({ mode, destinations, ownAddresses: () => own })(address, { port, secure });
}

test('what is not a plain http or https URL is refused', () => {
  assert.match(whyRefused('not a url'), /absolute URL/);
  assert.match(whyRefused('/relative'), /absolute URL/);
  assert.match(whyRefused('ftp://example.org/'), /scheme/);
  assert.match(whyRefused('file:///etc/passwd'), /scheme/);
  assert.match(whyRefused('https://user:password1@example.org/?secret'), /user name/);
  assert.match(whyRefused('https://user@example.org/'), /user name/);
  assert.match(whyRefused('https://[fe80::1%25eth0]/'), /absolute URL/);
  assert.match(whyRefused('https://example.org:0/'), /port 0/);
  assert.match(whyRefused('https://example.org:65536/'), /absolute URL/);
  for (const name of ['metadata.google.internal', 'METADATA.google.internal.', 'metadata']) {
    assert.match(whyRefused(`https://${name}/`), /metadata/, name);
  }
});

test('urlChars characters are allowed and one more is not', () => {
  const start = 'https://example.org/';
  assert.equal(whyRefused(start + 'a'.repeat(limits.urlChars - start.length)), 'allowed');
  assert.match(whyRefused(start + 'a'.repeat(limits.urlChars - start.length + 1)), /longer/);
});

test('a host has one spelling before it is judged', () => {
  const literals: [string, string][] = [
    ['https://2130706433/', '127.0.0.1'],
    ['https://0x7f000001/', '127.0.0.1'],
    ['https://0177.0.0.1/', '127.0.0.1'],
    ['https://127.1/', '127.0.0.1'],
    ['https://127.0.0.1./', '127.0.0.1'],
    ['https://%31%32%37.0.0.1/', '127.0.0.1'],
    ['https://１２７.０.０.１/', '127.0.0.1'],
    ['https://127。0。0。1/', '127.0.0.1'],
    ['https:\\\\127.0.0.1\\', '127.0.0.1'],
    ['https://[::ffff:7f00:1]/', '127.0.0.1'],
    ['https://[0:0:0:0:0:0:0:1]/', '::1'],
  ];
  for (const [text, literal] of literals) assert.equal(parseDestination(text).literal, literal, text);
  assert.equal(parseDestination('https://EXAMPLE.org./').host, 'example.org');
  assert.equal(parseDestination('https://bücher.example/').host, 'xn--bcher-kva.example');
});

test('in messages a destination is its scheme, host and port alone', () => {
  assert.equal(parseDestination('https://example.org:8443/a/secret?token=secret').label, 'https://example.org:8443');
});

test('public addresses are reached by https, at 443 or an unprivileged port without another protocol', () => {
  assert.equal(judge('8.8.8.8'), null);
  assert.equal(judge('8.8.8.8', { port: 1024 }), null);
  assert.equal(judge('64:ff9b::8.8.8.8'), null);
  assert.match(judge('8.8.8.8', { secure: false, port: 80 }) ?? '', /not https/);
  for (const port of [1, 22, 25, 442, 444, 1023, 5060, 6000, 6667])
    assert.match(judge('8.8.8.8', { port }) ?? '', /port/);
});

test('private and reserved blocks are reached only where prefix and port are listed', () => {
  assert.match(judge('10.1.2.3') ?? '', /private/);
  assert.match(judge('10.2.0.1', { port: 8443 }) ?? '', /private/);
  assert.equal(judge('10.1.2.3', { port: 8443 }), null);
  assert.equal(judge('10.1.2.3', { port: 8443, secure: false }), null, 'http as well');
  assert.equal(judge('::ffff:10.1.2.3', { port: 8443 }), null, 'the same address');
  assert.match(judge('64:ff9b::10.1.2.3', { port: 8443 }) ?? '', /private/, 'another way to it, not listed');
  assert.equal(judge('8.8.4.4', { port: 25 }), null, 'a listed port of a public address');
  assert.match(judge('192.0.2.1') ?? '', /reserved/);
  assert.match(judge('2002:808:808::1') ?? '', /reserved/);
});

test('a list cannot open metadata, link-local, multicast or, in production, loopback', () => {
  for (const mode of ['development', 'production'] as const) {
    assert.match(judge('169.254.169.254', { mode, port: 80, secure: false }) ?? '', /metadata/);
    assert.match(judge('64:ff9b::169.254.169.254', { mode, port: 80 }) ?? '', /metadata/);
    assert.match(judge('169.254.7.7', { mode, port: 80, secure: false }) ?? '', /link-local/);
    assert.match(judge('0.0.0.0', { mode }) ?? '', /unspecified/);
    assert.match(judge('::', { mode }) ?? '', /unspecified/);
    assert.match(judge('ff02::1', { mode }) ?? '', /multicast/);
  }
  assert.match(judge('127.0.0.1') ?? '', /development/);
});

test('loopback is allowed in development by http and https, at any port, but through no tunnel', () => {
  for (const address of ['127.0.0.1', '::1', '127.9.9.9', '::ffff:127.0.0.1']) {
    assert.equal(judge(address, { mode: 'development', secure: false, port: 9000 }), null, address);
  }
  for (const address of ['64:ff9b::127.0.0.1', '2002:7f00:1::', '::127.0.0.1']) {
    assert.match(judge(address, { mode: 'development' }) ?? '', /tunnel/, address);
  }
});

const at = (address: string, first?: number, last = first): OwnAddress =>
  first === undefined || last === undefined ? { address } : { address, ports: { first, last } };

test('the platform never calls itself', () => {
  const own = [at('127.0.0.1', 8080), at('127.0.0.1', 40_000, 40_100)];
  const inDevelopment = (address: string, port: number) => judge(address, { mode: 'development', own, port });
  for (const [address, port] of [
    ['127.0.0.1', 8080],
    ['::1', 8080],
    ['127.0.0.2', 40_000],
    ['127.0.0.1', 40_100],
  ] as const) {
    assert.match(inDevelopment(address, port) ?? '', /itself/, `${address} ${port}`);
  }
  assert.equal(inDevelopment('127.0.0.1', 8081), null);
  assert.equal(inDevelopment('127.0.0.1', 40_101), null);
  assert.match(judge('127.0.0.1', { mode: 'development', own: [at('localhost', 443)] }) ?? '', /itself/);
  assert.match(judge('8.8.8.8', { own: [at('8.8.8.8')] }) ?? '', /itself/);
  assert.match(judge('64:ff9b::8.8.8.8', { own: [at('8.8.8.8')] }) ?? '', /itself/);
  assert.match(judge('2606:4700::1', { own: [at('2606:4700:0::1', 443)] }) ?? '', /itself/);
  assert.match(judge('10.1.2.3', { own: [at('10.1.2.3')], port: 8443 }) ?? '', /itself/, 'listed or not');
});

test('a wildcard stands for loopback and for every address of the machine', () => {
  for (const own of [[at('0.0.0.0', 8080)], [at('::', 8080)]]) {
    assert.match(judge('127.0.0.1', { mode: 'development', own, port: 8080 }) ?? '', /itself/);
    for (const address of localAddresses()) assert.match(judge(address, { own, port: 8080 }) ?? '', /itself/, address);
    assert.equal(judge('8.8.8.8', { own, port: 8080 }), null);
  }
});

test('where the own address is a name, its ports are refused everywhere', () => {
  const own = [at('media.example.org', 40_000, 40_100)];
  assert.match(judge('8.8.8.8', { own, port: 40_000 }) ?? '', /itself/);
  assert.equal(judge('8.8.8.8', { own, port: 443 }), null);
});
