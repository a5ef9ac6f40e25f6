/** Requests of the library for S3, before they are sent. */

/** A request as the library hands it to what sends it. */
export interface SdkRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** As it was signed (Signature Version 4: RFC 3986, with nothing but the unreserved characters left as they are). */
export function urlOf({ protocol, hostname, port, path, query = {} }: SdkRequest): string {
  const escaped = (text: string) =>
    encodeURIComponent(text).replace(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);
  const words = Object.entries(query).flatMap(([name, value]) =>
    [value ?? ''].flat().map((each) => `${escaped(name)}=${escaped(each)}`),
  );
  const search = words.length > 0 ? `?${words.join('&')}` : '';
  return `${protocol}//${hostname}${port ? `:${port}` : ''}${path}${search}`;
}
