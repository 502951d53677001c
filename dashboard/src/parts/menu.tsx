// What else can be done with a row. The browser's popover lies over everything, so that no list cuts it off; Escape and a click
// elsewhere close it, and the keyboard is at its button again. Arrow keys go from line to line.
import { type KeyboardEvent, type ReactNode, useId, useRef } from "react";

const LINE_PX = 36;

export function Menu({ label, children }: { label: string; children: ReactNode }) {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  return (
    <>
      <button ref={button} type="button" className="more" popoverTarget={id} aria-label={label} title={label}>
        <span aria-hidden>⋯</span>
      </button>
      <div
        id={id}
        popover="auto"
        className="popover"
        onBeforeToggle={(event) => {
          const place = button.current?.getBoundingClientRect();
          if (event.newState !== "open" || !place) return;
          const { style } = event.currentTarget;
          const all = lines(event.currentTarget);
          style.top = `${Math.max(8, Math.min(place.bottom + 4, innerHeight - all.length * LINE_PX - 24))}px`;
          all[0]?.setAttribute("autofocus", ""); // React's own is for what is drawn just now
          style.right = `${Math.max(8, document.documentElement.clientWidth - place.right)}px`;
        }}
        onKeyDown={move}
        onClick={(event) => event.currentTarget.hidePopover()}
      >
        {children}
      </div>
    </>
  );
}

const lines = (menu: HTMLElement) => [...menu.querySelectorAll<HTMLElement>("a, button:not(:disabled)")];

function move(event: KeyboardEvent<HTMLElement>) {
  const all = lines(event.currentTarget);
  const at = all.indexOf(document.activeElement as HTMLElement);
  const to = { ArrowDown: (at + 1) % all.length, ArrowUp: (Math.max(at, 0) - 1 + all.length) % all.length, Home: 0, End: all.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  event.stopPropagation(); // the list below has arrow keys too
  all[to]?.focus();
}
