// A message beside what it is about.
import type { ReactNode } from "react";

export function Notice({ kind, children }: { kind: "good" | "warn" | "bad"; children: ReactNode }) {
  return (
    <div className="notice" data-kind={kind} role={kind === "bad" ? "alert" : "status"}>
      {children}
    </div>
  );
}
