// A question over the page. The browser's own dialog keeps the keyboard inside it, and Escape closes it.
import { type ReactNode, useEffect, useId, useRef } from "react";

type Props = { title: string; children: ReactNode; close: () => void; wide?: boolean };

export function Dialog({ title, children, close, wide }: Props) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    if (dialog && !dialog.open) dialog.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={ref}
      className={wide ? "dialog wide" : "dialog"}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
    >
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  );
}
