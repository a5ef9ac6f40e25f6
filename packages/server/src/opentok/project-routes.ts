/** Routes 36 to 38, callbacks of a project, and 39 to 44, the projects of an account. */
import type { Actor, Project } from '../core/index.ts';
import { bad, jsonFields, optionalText, requiredText } from './body.ts';
import { type Call, type Handler, projectActor } from './call.ts';
import { callbackShape, projectShape } from './shape.ts';

/** Route 36: a bare array. */
export const listCallbacks: Handler = async ({ core, issuer }) => {
  const callbacks = await core.callbacks.list(issuer);
  return { status: 200, json: callbacks.map((each) => callbackShape(each, core.callbacks.urlOf(each))) };
};

/** Route 37. */
export const registerCallback: Handler = async (call) => {
  const fields = jsonFields(call.text);
  const wish = {
    group: requiredText(fields, 'group'),
    event: requiredText(fields, 'event'),
    url: requiredText(fields, 'url'),
  };
  const callback = await call.core.callbacks.register(projectActor(call), call.issuer, wish);
  return { status: 200, json: callbackShape(callback, wish.url) };
};

/** Route 38. */
export const removeCallback: Handler = async (call) => {
  await call.core.callbacks.remove(projectActor(call), call.issuer, call.params.callbackId!);
  return { status: 204 };
};

/** Route 39. Both secrets are in this answer; the one that signs webhooks is in no other of OpenTok's. */
export const createProject: Handler = async (call) => {
  const name = optionalText(jsonFields(call.text), 'name');
  const made = await call.core.projects.create(accountActor(call), call.issuer, { name });
  const { project, secret, signatureSecret } = made;
  return { status: 200, json: { ...projectShape(project, secret), signatureSecret } };
};

/** Route 40: a bare array. */
export const listProjects: Handler = async (call) => {
  const projects = await call.core.projects.list(call.issuer);
  return { status: 200, json: await Promise.all(projects.map((project) => shown(call, project))) };
};

/** Route 41. */
export const getProject: Handler = async (call) => ({ status: 200, json: await shown(call, await owned(call)) });

/** Route 42. */
export const setProjectStatus: Handler = async (call) => {
  const { id } = await owned(call);
  const status = requiredText(jsonFields(call.text), 'status');
  if (status !== 'ACTIVE' && status !== 'SUSPENDED') throw bad('status must be ACTIVE or SUSPENDED');
  return { status: 200, json: await shown(call, await call.core.projects.setStatus(accountActor(call), id, status)) };
};

/** Route 43: the old secret is refused from now on. */
export const refreshSecret: Handler = async (call) => {
  const { id } = await owned(call);
  const secret = await call.core.projects.rotateSecret(accountActor(call), id, { how: 'at once' });
  return { status: 200, json: projectShape(await owned(call), secret) };
};

/** Route 44. */
export const deleteProject: Handler = async (call) => {
  const { id } = await owned(call);
  await call.core.projects.remove(accountActor(call), id);
  return { status: 204 };
};

function accountActor({ issuer, network }: Call): Actor {
  return { kind: 'account', accountId: issuer, ...(network && { network }) };
}

function owned({ core, issuer, params }: Call): Promise<Project> {
  return core.projects.ofAccount(issuer, params.apiKey!);
}

async function shown(call: Call, project: Project) {
  const { core, showSecrets } = call;
  const secret = showSecrets ? await core.accesses.showSecret(accountActor(call), project.id) : null;
  return projectShape(project, secret);
}
