// Light or dark: as the system, until the user chooses. The choice is this browser's own. And whether the screen is a phone's.
import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";

const KEY = "tidegate.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
const watchers = new Set<() => void>();

export function theme(): Theme {
  const stored = localStorage.getItem(KEY);
  return stored === "light" || stored === "dark" ? stored : "system";
}

export function choose(now: Theme) {
  localStorage.setItem(KEY, now);
  apply();
  for (const each of watchers) each();
}

export function apply() {
  const now = theme();
  if (now === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = now;
}

function subscribe(watch: () => void) {
  watchers.add(watch);
  dark.addEventListener("change", watch);
  return () => {
    watchers.delete(watch);
    dark.removeEventListener("change", watch);
  };
}

/** What is shown now. Style sheets follow by themselves; this is for what is drawn on a canvas. */
export function useTheme(): "light" | "dark" {
  return useSyncExternalStore(subscribe, () => {
    const chosen = theme();
    return chosen === "system" ? (dark.matches ? "dark" : "light") : chosen;
  });
}

const narrow = matchMedia("(max-width: 760px)"); // as style.css has it

function subscribeWidth(watch: () => void) {
  narrow.addEventListener("change", watch);
  return () => narrow.removeEventListener("change", watch);
}

export function useNarrow(): boolean {
  return useSyncExternalStore(subscribeWidth, () => narrow.matches);
}
