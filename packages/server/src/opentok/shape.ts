/** Objects of OpenTok's REST API, as its SDKs read them. */
import type { Callback, Connection, Project, Stream } from '../core/index.ts';

const mask = '********';

/**
 * A project. `environment` is what the documentation calls it and `environmentName` what the Go SDK reads.
 * @param secret shown as it is; null where it is not to be shown.
 */
export function projectShape(project: Project, secret: string | null) {
  return {
    id: project.id,
    secret: secret ?? mask,
    status: project.status,
    name: project.name,
    environment: 'default',
    environmentName: 'default',
    environmentDescription: 'Standard Environment',
    createdAt: project.createdAt,
  };
}

/** The answer to a mute: the project, without any secret. */
export function projectDetails({ id, status, name, createdAt }: Project) {
  return { id, status, name, environment: 'default', createdAt };
}

/** A stream of a session. `videoType` is null for one that has no picture. */
export function streamItem({ id, videoType, name, layoutClasses }: Stream) {
  return { id, videoType, name, layoutClassList: layoutClasses };
}

/** A connection of a session. */
export function connectionItem({ id, createdAt }: Connection) {
  return { connectionId: id, connectionState: 'Connected', createdAt };
}

/** A registered callback. */
export function callbackShape({ id, group, event, createdAt }: Callback, url: string) {
  return { id, group, event, url, createdAt };
}

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Milliseconds since 1970 in the form of Java's `Date.toString()`, in GMT: `Mon Jun 12 16:17:36 GMT 2023`. */
export function javaDate(ms: number): string {
  const date = new Date(ms);
  const two = (value: number) => String(value).padStart(2, '0');
  const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
  const day = `${days[date.getUTCDay()]} ${months[date.getUTCMonth()]} ${two(date.getUTCDate())}`;
  return `${day} ${time} GMT ${date.getUTCFullYear()}`;
}
