// What may be wider than a phone.
import type { ReactNode } from "react";

/** A table that may be wider than a phone: it scrolls by itself, also with the keyboard. */
export function Scrolled({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="wide-content" tabIndex={0} role="group" aria-label={label}>
      {children}
    </div>
  );
}
