// A message beside what it is about. Lines below its first draw the place of an error in a text.
import type { ReactNode } from "react";

export function Notice({ kind, children }: { kind: "good" | "warn" | "bad"; children: ReactNode }) {
  const [said, ...drawn] = typeof children === "string" ? children.split("\n") : [children];
  return (
    <div className="notice" data-kind={kind} role={kind === "bad" ? "alert" : "status"}>
      {said}
      {drawn.length > 0 && <pre tabIndex={0}>{drawn.join("\n")}</pre>}
    </div>
  );
}
