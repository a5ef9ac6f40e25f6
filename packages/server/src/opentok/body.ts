/** Bodies of requests. Types of content are not believed: SDKs send empty JSON, JSON without a type, and forms. */
import { isUtf8 } from 'node:buffer';
import { parse as parseForm } from 'node:querystring';
import { PlatformError } from '@cloister/protocol';

/** Fields of a body; nothing is known of their values. */
export type Fields = Readonly<Record<string, unknown>>;

/** The text of a body. @throws PlatformError `BadRequest` when it is not UTF-8 */
export function textOf(body: Buffer): string {
  if (!isUtf8(body)) throw bad('the body is not UTF-8');
  return body.toString();
}

/** A JSON body; an empty one has no fields. @throws PlatformError `BadRequest` */
export function jsonFields(text: string): Fields {
  if (text.trim() === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw bad('the body is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad('the body is not a JSON object');
  return value as Fields;
}

/** A form, or JSON where the body begins like it. A field that is there twice is refused when it is read. */
export function formFields(text: string): Fields {
  return text.trimStart().startsWith('{') ? jsonFields(text) : parseForm(text);
}

/** A text that may be absent: undefined, null. @throws PlatformError `BadRequest` for any other type */
export function optionalText(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value)) throw bad(`${name} is there more than once`);
  if (typeof value !== 'string') throw bad(`${name} must be a string`);
  return value;
}

/** @throws PlatformError `BadRequest` */
export function requiredText(fields: Fields, name: string): string {
  const value = optionalText(fields, name);
  if (value === undefined || value === '') throw bad(`${name} is missing`);
  return value;
}

/** A truth value, or the word for it in a string, as Ruby and forms send it. @throws PlatformError `BadRequest` */
export function optionalFlag(fields: Fields, name: string): boolean | undefined {
  const value = fields[name];
  if (typeof value === 'boolean') return value;
  const word = optionalText(fields, name)?.toLowerCase();
  if (word === undefined || word === '') return undefined;
  if (word === 'true' || word === 'false') return word === 'true';
  throw bad(`${name} must be true or false`);
}

/** A number; words for one count as wrong. @throws PlatformError `BadRequest` */
export function optionalNumber(fields: Fields, name: string): number | undefined {
  const value = fields[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number') throw bad(`${name} must be a number`);
  return value;
}

/** A list of texts. @throws PlatformError `BadRequest` */
export function textList(value: unknown, name: string): string[] {
  if (!Array.isArray(value) || value.some((each) => typeof each !== 'string')) {
    throw bad(`${name} must be an array of strings`);
  }
  return value;
}

export function bad(why: string): PlatformError {
  return new PlatformError('BadRequest', { why });
}
