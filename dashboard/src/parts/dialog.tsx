// A question over the page. The browser's own dialog keeps the keyboard inside it and gives it back at the end. Escape closes it,
// after a question if a form in it has unsaved changes. It stands beside the page and not in it: a form inside another
// form is sent past React, since Chromium stops its submit event at the outer form.
import { type ReactNode, useId, useLayoutEffect, useRef } from "react";
import { createPortal } from "react-dom";
import { InDialog, useGuard } from "../route";

type Props = { title: string; children: ReactNode; close: () => void; wide?: boolean };

export function Dialog({ title, children, close, wide }: Props) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  const { unsaved, leave } = useGuard();
  // Closed while it is still there: only then does the browser give the focus back.
  useLayoutEffect(() => {
    const dialog = ref.current;
    if (dialog && !dialog.open) dialog.showModal();
    return () => {
      dialog?.close();
      setTimeout(focusSomething);
    };
  }, []);
  return createPortal(
    <dialog
      ref={ref}
      className={wide ? "dialog wide" : "dialog"}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        leave(close);
      }}
    >
      <h2 id={id}>{title}</h2>
      <InDialog.Provider value={unsaved}>{children}</InDialog.Provider>
    </dialog>,
    document.body,
  );
}

/** What opened the dialog may be gone, such as the row that was deleted. */
function focusSomething() {
  if (document.activeElement === document.body) document.getElementById("main")?.focus({ preventScroll: true });
}
