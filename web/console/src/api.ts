// HTTP below /v1/console, with the cookie the browser keeps and the CSRF token this page was given.

import type { Me } from './protocol';

/** A refusal in the server's words. `status` 0: no answer came. */
export class ApiError extends Error {
  constructor(readonly status: number, readonly code: string, message: string, readonly retryAfterMs: number | null) {
    super(message);
  }
}

let csrf = '';
/** Called when the server no longer knows this sign-in. */
let signedOut: () => void = () => {};

export const session = {
  get csrf() { return csrf; },
  begin(me: Me) { csrf = me.csrf; },
  onSignedOut(act: () => void) { signedOut = act; },
};

async function refusal(response: Response): Promise<ApiError> {
  let code = `http_${response.status}`;
  let message = response.statusText;
  let retry: number | null = null;
  try {
    const { error } = await response.json();
    code = String(error.code);
    message = String(error.message);
    retry = typeof error.retry_after_ms === 'number' ? error.retry_after_ms : null;
  } catch {
    // No words from the server: the status has to do.
  }
  return new ApiError(response.status, code, message, retry);
}

/** `body` is sent as JSON, or as it is if it is a File. Throws [`ApiError`]. */
export async function api<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = {};
  if (method !== 'GET') headers['x-csrf-token'] = csrf;
  if (body !== undefined) headers['content-type'] = 'application/json';
  let response: Response;
  try {
    response = await fetch(`/v1/console${path}`, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
      credentials: 'same-origin',
      cache: 'no-store',
    });
  } catch (error) {
    throw new ApiError(0, 'unreachable', error instanceof Error ? error.message : String(error), null);
  }
  if (!response.ok) {
    const error = await refusal(response);
    // A wrong password, here or at signing in, says nothing of the sign-in there is.
    if (response.status === 401 && !path.startsWith('/sign-in') && !path.startsWith('/me')) signedOut();
    throw error;
  }
  if (response.status === 204) return undefined as T;
  return await response.json() as T;
}

export const sitePath = (site: string, rest: string): string => `/sites/${encodeURIComponent(site)}${rest}`;
