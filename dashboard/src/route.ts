// Where the user is: the part of the address after "#", such as "#/rules/hot?tab=try".
//
// Unsaved changes hold the user back: whatever changes the address (a link, the browser's back button) or closes the dialog they are
// in waits for the answer to one question. `useHeld` gives the question to the shell, which shows it.
import { createContext, useContext, useEffect, useState, useSyncExternalStore } from "react";

export type Route = { page: string; rest: string[]; query: URLSearchParams };

const listeners = new Set<() => void>();
let current = location.hash;
let held: (() => void) | null = null;

/** Forms with unsaved changes: a page may have one, and a dialog over it another. */
type Unsaved = Set<object>;
const unsaved: Unsaved = new Set();

/** Those of the dialog that a form is in. */
export const InDialog = createContext<Unsaved | null>(null);

function told() {
  for (const each of listeners) each();
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

addEventListener("hashchange", () => {
  if (location.hash === current) return;
  if (unsaved.size) {
    const wanted = location.hash;
    held = () => leaveFor(wanted);
    history.replaceState(null, "", current || "#/");
  } else {
    current = location.hash;
  }
  told();
});

addEventListener("beforeunload", (event) => {
  if (unsaved.size) event.preventDefault();
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
  unsaved.clear();
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

/** Holds the user back while `dirty`, until the form is left. */
export function useUnsaved(dirty: boolean) {
  const dialog = useContext(InDialog);
  const [form] = useState(() => ({}));
  useEffect(() => {
    if (!dirty) return;
    unsaved.add(form);
    dialog?.add(form);
    return () => {
      unsaved.delete(form);
      dialog?.delete(form);
    };
  }, [dirty, form, dialog]);
}

/** For what can be closed: the unsaved forms in it (for InDialog), and how to leave it, after the question if there are any. */
export function useGuard(): { unsaved: Unsaved; leave: (then: () => void) => void } {
  const [inside] = useState<Unsaved>(() => new Set());
  const leave = (then: () => void) => {
    if (!inside.size) return then();
    held = then;
    told();
  };
  return { unsaved: inside, leave };
}

/** What the user wants to do and does not yet, because of unsaved changes; and the two answers. */
export function useHeld(): { held: (() => void) | null; stay: () => void; leave: () => void } {
  const wanted = useSyncExternalStore(subscribe, () => held);
  const answered = (then: (() => void) | null) => {
    held = null;
    told();
    if (then) setTimeout(then); // when the question is off the screen, so that the focus can go on from there
  };
  return { held: wanted, stay: () => answered(null), leave: () => answered(wanted) };
}
