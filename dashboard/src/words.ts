// Numbers, sizes and times as people read them. Pure, but for the language of the browser, which says how a date looks.

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const CLOCK_EXACT = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const AGO = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];

/** 1234567 as "1,234,567". */
export const count = (n: number): string => WHOLE.format(n);

/** 1234567 as "1.2M": for tiles and axes. */
export const short = (n: number): string => SHORT.format(n);

/** A rate, a second: "0.5/s", "1.2K/s". */
export const rate = (n: number): string => `${n === 0 ? "0" : n < 10 ? n.toFixed(1) : short(Math.round(n))}/s`;

/** Bytes with the unit that fits: "1.4 MB". */
export function bytes(n: number): string {
  let unit = 0;
  let left = n;
  while (left >= 1000 && unit < 4) {
    left /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(left) : left.toFixed(left < 10 ? 1 : 0)} ${["B", "kB", "MB", "GB", "TB"][unit]}`;
}

/** A length of time: "350 ms", "12 s", "3 min", "2 h", "5 d". */
export function lasting(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1_000;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  if (seconds < 3_600) return `${Math.round(seconds / 60)} min`;
  return seconds < 86_400 * 2 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} d`;
}

/** A moment, in the user's own time zone and form. */
export const exact = (ms: number): string => EXACT.format(ms);
export const clock = (ms: number): string => CLOCK.format(ms);
export const clockExact = (ms: number): string => CLOCK_EXACT.format(ms);

/** "3 minutes ago". */
export function ago(ms: number, nowMs: number): string {
  const seconds = (ms - nowMs) / 1_000;
  const [unit, size] = UNITS.find(([, each]) => Math.abs(seconds) >= each) ?? ["second", 1];
  return AGO.format(Math.trunc(seconds / size), unit);
}
