// Light or dark: as the system, until the user chooses. The choice is this browser's own.

export type Theme = "system" | "light" | "dark";

const KEY = "tidegate.theme";

export function theme(): Theme {
  const stored = localStorage.getItem(KEY);
  return stored === "light" || stored === "dark" ? stored : "system";
}

export function choose(now: Theme) {
  localStorage.setItem(KEY, now);
  apply();
}

export function apply() {
  const now = theme();
  if (now === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = now;
}
