// The keyboard in a list whose rows come and go with scrolling: which row is the one that Tab enters, and how arrow keys change it.
import { type FocusEvent, type KeyboardEvent, type RefObject, useLayoutEffect, useRef } from "react";

const PAGE = 10;

/** `count` rows of which some are in `frame`; each says its place by aria-rowindex, which begins with 2. */
export function useRows(frame: RefObject<HTMLElement | null>, count: number, scrollTo: (index: number) => void) {
  const at = useRef(0);
  const wanted = useRef<{ column: number } | null>(null); // the focus goes there as soon as its row is on the screen
  const inside = useRef(false);

  const settle = () => {
    const rows = rowsIn(frame.current);
    const entered = rows.find(({ index }) => index === at.current) ?? rows[0];
    for (const row of rows) for (const each of row.stops()) each.tabIndex = row === entered ? 0 : -1;
    return entered;
  };
  useLayoutEffect(() => {
    at.current = Math.min(at.current, Math.max(0, count - 1));
    const entered = settle();
    if (wanted.current && entered?.index === at.current) {
      const stops = entered.stops();
      (stops[wanted.current.column] ?? stops.at(-1))?.focus({ preventScroll: true });
      wanted.current = null;
    } else if (inside.current && document.activeElement === document.body) {
      frame.current?.focus(); // the row that had it is gone
    }
  });

  return {
    onFocus: ({ target }: FocusEvent<HTMLElement>) => {
      inside.current = true;
      const row = rowsIn(frame.current).find(({ element }) => element.contains(target));
      if (!row) return;
      at.current = row.index;
      settle();
    },
    onBlur: ({ target, relatedTarget }: FocusEvent<HTMLElement>) => {
      inside.current = relatedTarget === null ? !target.isConnected : Boolean(frame.current?.contains(relatedTarget));
    },
    onKeyDown: (event: KeyboardEvent<HTMLElement>) => {
      const to = placeOf(event.key, at.current, count);
      if (to === null || event.target instanceof HTMLSelectElement) return;
      event.preventDefault();
      const row = rowsIn(frame.current).find(({ element }) => element.contains(event.target as Node));
      const next = row ? to : at.current; // from outside of all rows, the first key enters
      at.current = next;
      scrollTo(next);
      const column = row ? row.stops().indexOf(event.target as HTMLElement) : 0;
      const there = rowsIn(frame.current).find(({ index }) => index === next);
      if (there) (there.stops()[column] ?? there.stops()[0])?.focus({ preventScroll: true });
      else wanted.current = { column };
    },
  };
}

function placeOf(key: string, at: number, count: number): number | null {
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + PAGE, PageUp: at - PAGE, Home: 0, End: count - 1 }[key];
  return to === undefined || !count ? null : Math.max(0, Math.min(count - 1, to));
}

function rowsIn(frame: HTMLElement | null) {
  return [...(frame?.querySelectorAll<HTMLElement>("[aria-rowindex]") ?? [])].map((element) => ({
    element,
    index: Number(element.getAttribute("aria-rowindex")) - 2,
    stops: () => [...element.querySelectorAll<HTMLElement>("a, button, input")].filter((each) => !each.closest("[popover]")),
  }));
}
