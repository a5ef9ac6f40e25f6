/** What a session id looks like (OpenTok's form, compat 5.1): a digit, `_`, then URL-safe base64, which is its first group. */
export const sessionIdForm = /^[12]_([A-Za-z0-9_-]{16,400})=*$/;
