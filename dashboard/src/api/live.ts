// Live numbers: one stream for the whole page, opened by the first who looks and closed by the last. In a hidden tab the stream is
// closed, so that a forgotten tab costs nothing. A component that shows one number is drawn again only when that number changes.
//
// The stream also tells what a page that asks for nothing would not know: the server is away, or Kafka is.
import { useSyncExternalStore } from "react";

export type Live = {
  revision: number;
  trouble: string; // why Kafka cannot be read now, or ""
  status: Record<string, string>; // by "connector/s3:lake", "action/s3:hot", "rule/hot"
  rates: Record<string, number>; // messages a second, by the same names
};

const AGAIN_MS = 5_000;

let latest: Live | null = null;
let away = false;
let source: EventSource | null = null;
const watchers = new Set<() => void>();

function adjust() {
  if (watchers.size && !document.hidden) {
    source ??= Object.assign(new EventSource("api/v5/live"), { onopen: back, onmessage: take, onerror: lost });
  } else {
    source?.close();
    source = null;
  }
}

function told() {
  for (const each of watchers) each();
}

function back() {
  away = false;
  told();
}

function take(event: MessageEvent<string>) {
  latest = JSON.parse(event.data) as Live;
  away = false;
  told();
}

/** The browser tries again by itself as long as nobody answers. An answer that is a refusal, as of an ended session, ends the stream. */
function lost(this: EventSource) {
  if (this.readyState === EventSource.CLOSED) {
    if (source === this) source = null;
    setTimeout(adjust, AGAIN_MS);
  } else {
    away = true;
    told();
  }
}

document.addEventListener("visibilitychange", adjust);

function subscribe(watch: () => void) {
  watchers.add(watch);
  adjust();
  return () => {
    watchers.delete(watch);
    adjust();
  };
}

export function useLive<T extends string | number | undefined>(pick: (live: Live | null) => T): T {
  return useSyncExternalStore(subscribe, () => pick(latest));
}

/** Whether the server does not answer. */
export function useAway(): boolean {
  return useSyncExternalStore(subscribe, () => away);
}
