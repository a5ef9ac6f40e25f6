/** Every route of OpenTok's REST API (compat section 1), with what answers it or the feature that is not offered yet. */
import * as archives from './archive-routes.ts';
import type { Handler } from './call.ts';
import * as projects from './project-routes.ts';
import * as sessions from './session-routes.ts';
import * as storage from './storage-routes.ts';

export interface Route {
  /** Its number in the table of compatibility facts. */
  readonly number: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  /** Whose credential it takes. */
  readonly by: 'project' | 'account';
  /** Why it is there beside the documented one. */
  readonly note?: string;
  /** What answers it; a route without one says that `feature` is not built. */
  readonly handle?: Handler;
  readonly feature?: string;
}

type Verb = Route['method'];

const project = '/v2/project/:apiKey';
const session = `${project}/session/:sessionId`;
const archive = `${project}/archive/:archiveId`;

function offered(number: string, method: Verb, path: string, handle: Handler, note?: string): Route {
  return { number, method, path, by: 'project', handle, note };
}

function ofAccount(number: string, method: Verb, path: string, handle: Handler): Route {
  return { number, method, path, by: 'account', handle };
}

function notBuilt(feature: string) {
  return (number: string, method: Verb, path: string, note?: string): Route => ({
    number,
    method,
    path: `${project}${path}`,
    by: 'project',
    feature,
    note,
  });
}

const broadcasts = notBuilt('broadcasts');
const sip = notBuilt('SIP interconnect');
const audio = notBuilt('the audio connector');
const captions = notBuilt('captions');
const renders = notBuilt('the experience composer');

/** In the order of the table. `/v2/partner/…` is an alias of every `/v2/project/…`. */
export const routeTable: readonly Route[] = [
  offered('1', 'POST', '/session/create', sessions.createSession),
  offered('1', 'POST', '/hl/session/create', sessions.createSession, 'prefix of very old SDKs'),
  offered('2', 'GET', `${session}/stream`, sessions.listStreams),
  offered('3', 'GET', `${session}/stream/:streamId`, sessions.getStream),
  offered('4', 'PUT', `${session}/stream`, sessions.setLayoutClasses),
  offered('4', 'PUT', `${session}/stream/:streamId`, sessions.setStreamClasses, 'PHP SDK: one stream'),
  offered('5', 'GET', `${session}/connection`, sessions.listConnections),
  offered('6', 'DELETE', `${session}/connection/:connectionId`, sessions.disconnect),
  offered('7', 'POST', `${session}/signal`, sessions.signal),
  offered('8', 'POST', `${session}/connection/:connectionId/signal`, sessions.signal),
  offered('9', 'POST', `${session}/stream/:streamId/mute`, sessions.muteStream),
  offered('10', 'POST', `${session}/mute`, sessions.muteSession),
  offered('11', 'POST', `${session}/play-dtmf`, sessions.playDtmf),
  offered('12', 'POST', `${session}/connection/:connectionId/play-dtmf`, sessions.playDtmf),
  offered('13', 'POST', `${project}/archive`, archives.startArchive),
  offered('14', 'GET', `${project}/archive`, archives.listArchives),
  offered('15', 'GET', archive, archives.getArchive),
  offered('16', 'POST', `${archive}/stop`, archives.stopArchive),
  offered('17', 'DELETE', archive, archives.deleteArchive),
  offered('18', 'PUT', `${archive}/layout`, archives.setArchiveLayout),
  offered('18', 'GET', `${archive}/layout`, archives.getArchiveLayout, 'PHP SDK: reads the layout'),
  offered('19', 'PATCH', `${archive}/streams`, archives.changeArchiveStreams),
  offered('20', 'PUT', `${project}/archive/storage`, storage.putStorage),
  offered('21', 'DELETE', `${project}/archive/storage`, storage.deleteStorage),
  broadcasts('22', 'POST', '/broadcast'),
  broadcasts('23', 'GET', '/broadcast'),
  broadcasts('24', 'GET', '/broadcast/:broadcastId'),
  broadcasts('25', 'POST', '/broadcast/:broadcastId/stop'),
  broadcasts('26', 'PUT', '/broadcast/:broadcastId/layout'),
  broadcasts('26', 'GET', '/broadcast/:broadcastId/layout', 'PHP SDK: reads the layout'),
  broadcasts('27', 'PATCH', '/broadcast/:broadcastId/streams'),
  sip('28', 'POST', '/dial'),
  sip('28', 'POST', '/call', 'PHP SDK: its name for dial'),
  audio('29', 'POST', '/connect'),
  audio('29b', 'POST', '/connect/:callId/stop'),
  captions('30', 'POST', '/captions'),
  captions('31', 'POST', '/captions/:captionsId/stop'),
  captions('31b', 'GET', '/captions/:captionsId'),
  renders('32', 'POST', '/render'),
  renders('33', 'GET', '/render'),
  renders('34', 'GET', '/render/:renderId'),
  renders('34', 'POST', '/render/:renderId', 'PHP SDK: reads by POST'),
  renders('35', 'DELETE', '/render/:renderId'),
  offered('36', 'GET', `${project}/callback`, projects.listCallbacks),
  offered('37', 'POST', `${project}/callback`, projects.registerCallback),
  offered('38', 'DELETE', `${project}/callback/:callbackId`, projects.removeCallback),
  ofAccount('39', 'POST', '/v2/project', projects.createProject),
  ofAccount('40', 'GET', '/v2/project', projects.listProjects),
  ofAccount('41', 'GET', project, projects.getProject),
  ofAccount('42', 'PUT', project, projects.setProjectStatus),
  ofAccount('43', 'POST', `${project}/refreshSecret`, projects.refreshSecret),
  ofAccount('44', 'DELETE', project, projects.deleteProject),
];
