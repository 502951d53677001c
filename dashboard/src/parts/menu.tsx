// What else can be done with a row. The browser's popover lies over everything, so that no list cuts it off; Escape and a click
// elsewhere close it.
import { type ReactNode, useId, useRef } from "react";

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
          style.top = `${Math.min(place.bottom + 4, innerHeight - 160)}px`;
          style.right = `${Math.max(8, document.documentElement.clientWidth - place.right)}px`;
        }}
        onClick={(event) => event.currentTarget.hidePopover()}
      >
        {children}
      </div>
    </>
  );
}
