// How an object stands in one process, with the way to connect again there.
import type { Family } from "../../api/objects";
import { useMayChange } from "../../api/session";
import { useVerbs } from "../../api/use_objects";
import { t } from "../../texts";
import { Badge, why } from "../badge";

export type NodeStatus = { node: string; status: string; status_reason: string };
type Props = { family: Exclude<Family, "rules">; id: string; enabled: boolean; at: NodeStatus };

export function NodeStanding({ family, id, enabled, at: { node, status, status_reason } }: Props) {
  const mayChange = useMayChange();
  const { start } = useVerbs(family);
  return (
    <span className="tools">
      <Badge status={status} />
      {mayChange && enabled && status !== "connected" && status !== "stopped" && (
        <button type="button" className="link" disabled={start.isPending} aria-label={t.statistics.reconnectOn(node)} onClick={() => start.mutate({ id, node })}>
          {t.edit.reconnect}
        </button>
      )}
      {status_reason && <span className="dim reason">{why(status_reason)}</span>}
      {start.error && <span className="error">{start.error.message}</span>}
    </span>
  );
}
