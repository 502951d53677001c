// The status of a thing in one word, in colour and in text, with its reason where there is one.
import { t } from "../texts";

export function Badge({ status, reason }: { status: string; reason?: string }) {
  const known = status in t.status ? status : "unknown";
  return (
    <span className="badge" data-status={known} title={reason || undefined}>
      {t.status[known]}
    </span>
  );
}
