// The status of a thing in one word, in colour and in text, with its reason where there is one.
import { t } from "../texts";

/** The reason of a status, for people. */
export const why = (reason = ""): string => t.reasons[reason] ?? reason;

export function Badge({ status, reason }: { status: string; reason?: string }) {
  const known = status in t.status ? status : "unknown";
  return (
    <span className="badge" data-status={known} title={why(reason) || undefined}>
      {t.status[known]}
    </span>
  );
}
