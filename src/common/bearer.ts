/** The header that a token is shown in (RFC 6750, 2.1); none without one. */
export function bearer(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}
