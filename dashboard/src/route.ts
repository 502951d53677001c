// Where the user is: the part of the address after "#", such as "#/rules/hot?tab=try".
//
// A page with unsaved changes holds the user back: whatever changes the address (a link, the browser's back button) waits for the
// answer to one question. `useHeld` gives the question to the shell, which shows it.
import { useEffect, useSyncExternalStore } from "react";

export type Route = { page: string; rest: string[]; query: URLSearchParams };

const listeners = new Set<() => void>();
let current = location.hash;
let unsaved = false;
let held: string | null = null;

function told() {
  for (const each of listeners) each();
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

addEventListener("hashchange", () => {
  if (location.hash === current) return;
  if (unsaved) {
    held = location.hash;
    history.replaceState(null, "", current || "#/");
  } else {
    current = location.hash;
  }
  told();
});

addEventListener("beforeunload", (event) => {
  if (unsaved) event.preventDefault();
});

/** The address of a place: parts are escaped, so that each name of a user's object is one part. */
export function to(page: string, ...rest: string[]): string {
  return `#/${[page, ...rest].map(encodeURIComponent).join("/")}`;
}

export function go(address: string) {
  location.hash = address;
}

/** Goes to the place and forgets what is unsaved: for after a save. */
export function leaveFor(address: string) {
  unsaved = false;
  go(address);
}

function read(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [page = "", ...rest] = path.split("/").map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  return { page, rest, query: new URLSearchParams(query) };
}

export function useRoute(): Route {
  return read(useSyncExternalStore(subscribe, () => current));
}

/** Holds the user back while `dirty`, until the page is left. */
export function useUnsaved(dirty: boolean) {
  useEffect(() => {
    unsaved = dirty;
    return () => {
      unsaved = false;
    };
  }, [dirty]);
}

/** The place that the user wants to go to and does not, because of unsaved changes; and the two answers. */
export function useHeld(): { held: string | null; stay: () => void; leave: () => void } {
  const place = useSyncExternalStore(subscribe, () => held);
  return {
    held: place,
    stay: () => {
      held = null;
      told();
    },
    leave: () => {
      const wanted = held;
      held = null;
      unsaved = false;
      told();
      if (wanted !== null) go(wanted);
    },
  };
}
