// How a connector stands: in each process, and with each action that uses it.
import { useMayChange } from "../../api/session";
import { useList, useVerbs } from "../../api/use_objects";
import { Badge } from "../../parts/badge";
import { Notice } from "../../parts/notice";
import { Tabs } from "../../parts/tabs";
import { to } from "../../route";
import { t } from "../../texts";

export function Standing({ id }: { id: string }) {
  const connectors = useList("connectors");
  const actions = useList("actions").data ?? [];
  const mayChange = useMayChange();
  const { start } = useVerbs("connectors");
  const name = id.slice(id.indexOf(":") + 1);
  const connector = connectors.data?.find((each) => each.name === name);
  const users = actions.filter((each) => each.connector === name);
  return (
    <section className="page">
      <div className="heading">
        <h1>{id}</h1>
        {mayChange && connector && connector.enable !== false && connector.status !== "connected" && (
          <button type="button" disabled={start.isPending} onClick={() => start.mutate(id)}>
            {t.edit.reconnect}
          </button>
        )}
      </div>
      <Tabs family="connectors" id={id} on="statistics" />
      {connectors.error && <Notice kind="bad">{connectors.error.message}</Notice>}
      {start.error && <Notice kind="bad">{start.error.message}</Notice>}
      {connectors.data && !connector && <Notice kind="bad">{t.connectors.gone}</Notice>}
      {connector && (
        <section className="card" aria-label={t.statistics.byNode}>
          <h2>{t.statistics.byNode}</h2>
          <ul className="plain-list">
            {(connector.node_status ?? []).map(({ node, status, status_reason }) => (
              <li key={node}>
                <Badge status={status} /> <code>{node}</code> <span className="dim">{status_reason}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
      {connector && (
        <section className="card" aria-label={t.statistics.users}>
          <h2>{t.statistics.users}</h2>
          {!users.length && <p className="dim">{t.edit.nobody}</p>}
          <ul className="plain-list">
            {users.map((each) => (
              <li key={each.name}>
                <Badge status={each.status} /> <a href={to("actions", `${each.type}:${each.name}`, "statistics")}>{each.name}</a>{" "}
                <span className="dim">{each.status_reason}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </section>
  );
}
