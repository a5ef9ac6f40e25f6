/** Routes 20 and 21: where a project wants its archives stored. */
import type { StorageTarget } from '../core/index.ts';
import { bad, type Fields, jsonFields, optionalText, requiredText } from './body.ts';
import { type Handler, projectActor } from './call.ts';

const mask = '********';
const names = [
  'accessKey',
  'secretKey',
  'bucket',
  'endpoint',
  'region',
  'sse',
  'kmsKeyId',
  'accountName',
  'accountKey',
  'container',
  'domain',
];

/** Route 20: the answer is what is set now, without its credentials. */
export const putStorage: Handler = async (call) => {
  const fields = jsonFields(call.text);
  const { config } = fields;
  if (typeof config !== 'object' || config === null || Array.isArray(config)) throw bad('config must be an object');
  const { storage, target } = await call.core.storages.put(projectActor(call), call.issuer, {
    type: requiredText(fields, 'type'),
    config: Object.fromEntries(names.map((name) => [name, optionalText(config as Fields, name)])),
    kmsEncryptionContext: (config as Fields).kmsEncryptionContext,
    fallback: optionalText(fields, 'fallback'),
    certificate: fields.certificate === null ? null : optionalText(fields, 'certificate'),
  });
  const { fallback, certificate } = storage;
  return { status: 200, json: { type: target.type, config: masked(target), fallback, certificate } };
};

/** Route 21. */
export const deleteStorage: Handler = async (call) => {
  await call.core.storages.remove(projectActor(call), call.issuer);
  return { status: 204 };
};

/** Only what cannot be used is shown. */
function masked(target: StorageTarget) {
  if (target.type === 's3') {
    const { bucket, endpoint, region, sse, kmsKeyId, kmsEncryptionContext } = target;
    return {
      accessKey: mask,
      secretKey: mask,
      bucket,
      ...(endpoint !== null && { endpoint }),
      ...(region !== null && { region }),
      sse,
      ...(kmsKeyId !== null && { kmsKeyId }),
      ...(kmsEncryptionContext !== null && { kmsEncryptionContext }),
    };
  }
  const { accountName, container, domain } = target;
  return { accountName, accountKey: mask, container, ...(domain !== null && { domain }) };
}
