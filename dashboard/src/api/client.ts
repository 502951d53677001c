// The one way to the REST API. The session is a cookie that no script can read; a change carries a header that another site's form
// cannot send, and the ETag of what was read, so that nobody's edit is lost unseen.

import { t } from "../texts";

/** One setting that is refused. A refused statement also has a place in its text. */
export type Problem = { path: string; reason: string; line?: number; column?: number };

/** What the API answers instead of a result. `code` is EMQX's word for the kind; `problems` are the settings that are wrong. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly problems: readonly Problem[] = [],
    readonly body: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
    this.name = "ApiError";
  }

  /** Whether it is the last word: the server's own, or that it took too long. */
  get isAnswer(): boolean {
    return this.code !== "" && this.code !== UNREACHABLE;
  }
}

/** A thing and the revision of it that was read. */
export type Versioned<T> = { value: T; etag: string | null };

type Method = "GET" | "POST" | "PUT" | "DELETE";
type Options = { body?: unknown; etag?: string | null; signal?: AbortSignal };

const UNREACHABLE = "UNREACHABLE";
const REQUEST_MS = 20_000;

let signedOut: () => void = () => undefined;

/** Says what happens when the API no longer knows who the user is. */
export function onSignedOut(then: () => void) {
  signedOut = then;
}

export async function call<T>(method: Method, path: string, options: Options = {}): Promise<T> {
  return (await versioned<T>(method, path, options)).value;
}

export async function versioned<T>(method: Method, path: string, { body, etag, signal }: Options = {}): Promise<Versioned<T>> {
  const headers: Record<string, string> = { Accept: "application/json" };
  const isForm = body instanceof FormData; // a file; the browser says its own type
  if (body !== undefined && !isForm) headers["Content-Type"] = "application/json";
  if (method !== "GET") headers["X-Requested-With"] = "tidegate";
  if (etag) headers["If-Match"] = etag;
  const limit = AbortSignal.timeout(REQUEST_MS);
  let answer: Response;
  try {
    answer = await fetch(`api/v5${path}`, {
      method,
      headers,
      credentials: "same-origin",
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
      ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    if (limit.aborted) throw new ApiError(0, "TIMEOUT", t.errors.slow(REQUEST_MS / 1_000));
    throw new ApiError(0, UNREACHABLE, t.errors.unreachable);
  }
  if (!answer.ok) throw await refusal(answer, path);
  const text = await answer.text();
  return { value: (text ? JSON.parse(text) : undefined) as T, etag: answer.headers.get("ETag") };
}

/** What an answer that is not good says. */
export async function refusal(answer: Response, path: string): Promise<ApiError> {
  const text = await answer.text();
  let body: Record<string, unknown> = {};
  try {
    const parsed: unknown = JSON.parse(text);
    if (parsed && typeof parsed === "object") body = parsed as Record<string, unknown>;
  } catch {
    // A proxy's page, not ours: the status has to say it.
  }
  if (answer.status === 401 && path !== "/login") signedOut();
  const problems = problemsIn(body.message);
  const message = problems[0]?.reason ?? (typeof body.message === "string" ? body.message : "");
  return new ApiError(answer.status, String(body.code ?? ""), message || `${answer.status} ${answer.statusText}`, problems, body);
}

/** A message about settings is itself JSON, with kind, path and reason: EMQX's form. Several have a list of them. */
function problemsIn(message: unknown): Problem[] {
  if (typeof message !== "string" || !message.startsWith("{")) return [];
  try {
    const parsed = JSON.parse(message) as { errors?: unknown[] };
    return (parsed.errors ?? [parsed]).flatMap(problemOf);
  } catch {
    return [];
  }
}

function problemOf(parsed: unknown): Problem[] {
  const { path, reason, line, column } = parsed as Record<string, unknown>;
  if (typeof reason !== "string") return [];
  const place = typeof line === "number" && typeof column === "number" ? { line, column } : {};
  return [{ path: typeof path === "string" ? path.replace(/^root\.?/, "") : "", reason, ...place }];
}
