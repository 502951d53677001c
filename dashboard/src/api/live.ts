// Live numbers: one stream for the whole page, opened by the first who looks and closed by the last. In a hidden tab the stream is
// closed, so that a forgotten tab costs nothing. A component that shows one number is drawn again only when that number changes.
import { useSyncExternalStore } from "react";

export type Live = {
  revision: number;
  status: Record<string, string>; // by "connector/s3:lake", "action/s3:hot", "rule/hot"
  rates: Record<string, number>; // messages a second, by the same names
};

let latest: Live | null = null;
let source: EventSource | null = null;
const watchers = new Set<() => void>();

function adjust() {
  if (watchers.size && !document.hidden) {
    source ??= Object.assign(new EventSource("api/v5/live"), { onmessage: take });
  } else {
    source?.close();
    source = null;
  }
}

function take(event: MessageEvent<string>) {
  latest = JSON.parse(event.data) as Live;
  for (const each of watchers) each();
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
