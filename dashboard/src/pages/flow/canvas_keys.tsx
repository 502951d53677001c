// The keyboard on a canvas: which part it is at, what opens beside it, and the way back.
import { type KeyboardEvent, type ReactNode, useEffect, useRef } from "react";
import { t } from "../../texts";
import type { Way } from "./neighbour";

const WAYS: Record<string, Way> = { ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down" };

type Keys = { open: (id: string) => void; arrow: (id: string, way: Way, far: boolean) => void; remove?: (id: string) => void };

/** What a key does with the part that has the focus. Everything else, such as a key in the panel, is not for the canvas. */
export function canvasKeys({ open, arrow, remove }: Keys) {
  return (event: KeyboardEvent<HTMLElement>) => {
    const { target, key } = event;
    const id = target instanceof HTMLElement && target.classList.contains("react-flow__node") ? target.dataset.id : undefined;
    if (id === undefined) return;
    const way = WAYS[key];
    if (key === "Enter" || key === " ") open(id);
    else if (way) arrow(id, way, event.shiftKey);
    else if (remove && (key === "Delete" || key === "Backspace")) remove(id);
    else return;
    event.preventDefault();
  };
}

export function focusPart(id: string) {
  document.querySelector<HTMLElement>(`.react-flow__node[data-id="${CSS.escape(id)}"]`)?.focus();
}

type Props = { id: string; label: string; title: ReactNode; close: (then: () => void) => void; children: ReactNode };

/** What lies beside the canvas: it takes the keyboard when it opens, and Escape gives it back to its part. */
export function Panel({ id, label, title, close, children }: Props) {
  const panel = useRef<HTMLElement>(null);
  useEffect(() => panel.current?.focus({ preventScroll: true }), [id]);
  const leave = () => close(() => focusPart(id));
  return (
    <aside
      className="panel"
      aria-label={label}
      tabIndex={-1}
      ref={panel}
      onKeyDown={(event) => {
        if (event.key !== "Escape" || event.defaultPrevented || (event.target as Element).closest("dialog")) return;
        event.preventDefault(); // or the browser closes the question too
        leave();
      }}
    >
      <div className="heading">
        <h2>{title}</h2>
        <button type="button" onClick={leave} aria-label={t.edit.close}>
          ×
        </button>
      </div>
      {children}
    </aside>
  );
}
