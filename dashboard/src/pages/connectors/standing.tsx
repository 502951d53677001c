// How a connector stands: in each process, and with each action that uses it.
import { lazy, Suspense } from "react";
import { useLive } from "../../api/live";
import { idOf } from "../../api/objects";
import { useMayChange } from "../../api/session";
import { useList, useVerbs } from "../../api/use_objects";
import { Badge, why } from "../../parts/badge";
import { Notice } from "../../parts/notice";
import { NodeStanding } from "../../parts/statistics/standing";
import { Tabs } from "../../parts/tabs";
import { to } from "../../route";
import { t } from "../../texts";
import { rate } from "../../words";

const Trend = lazy(() => import("../../parts/statistics/trend"));

export function Standing({ id }: { id: string }) {
  const connectors = useList("connectors");
  const actions = useList("actions");
  const mayChange = useMayChange();
  const { start } = useVerbs("connectors");
  const name = id.slice(id.indexOf(":") + 1);
  const known = connectors.data && actions.data; // both, or what came first would move
  const connector = known ? connectors.data?.find((each) => each.name === name) : undefined;
  const users = (actions.data ?? []).filter((each) => each.connector === name);
  return (
    <section className="page">
      <div className="heading">
        <h1>{id}</h1>
        {mayChange && connector && connector.enable !== false && connector.status !== "connected" && (
          <button type="button" disabled={start.isPending} onClick={() => start.mutate({ id })}>
            {t.edit.reconnect}
          </button>
        )}
      </div>
      <Tabs family="connectors" id={id} on="statistics" />
      {(connectors.error ?? actions.error) && <Notice kind="bad">{(connectors.error ?? actions.error)?.message}</Notice>}
      {start.error && <Notice kind="bad">{start.error.message}</Notice>}
      {known && !connector && <Notice kind="bad">{t.connectors.gone}</Notice>}
      {connector && (
        <section className="card" aria-label={t.statistics.byNode}>
          <h2>{t.statistics.byNode}</h2>
          <ul className="plain-list">
            {(connector.node_status ?? []).map((each) => (
              <li key={each.node} className="tools">
                <code>{each.node}</code> <NodeStanding family="connectors" id={id} enabled={connector.enable !== false} at={each} />
              </li>
            ))}
          </ul>
        </section>
      )}
      {connector && users.length > 0 && (
        <Suspense fallback={<figure className="card chart" />}>
          <Through id={id} actions={users.map((each) => idOf("actions", each))} />
        </Suspense>
      )}
      {connector && (
        <section className="card" aria-label={t.statistics.users}>
          <h2>{t.statistics.users}</h2>
          {!users.length && <p className="dim">{t.edit.nobody}</p>}
          <ul className="plain-list">
            {users.map((each) => (
              <li key={each.name}>
                <Badge status={each.status} /> <a href={to("actions", `${each.type}:${each.name}`, "statistics")}>{each.name}</a>{" "}
                <Rate of={[idOf("actions", each)]} /> <span className="dim">{why(each.status_reason)}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </section>
  );
}

/** What all actions of the connector write through it now. */
function useRate(actions: readonly string[]): number {
  return useLive((live) => actions.reduce((all, id) => all + (live?.rates[`action/${id}`] ?? 0), 0));
}

function Through({ id, actions }: { id: string; actions: readonly string[] }) {
  return <Trend family="connectors" id={id} now={useRate(actions)} />;
}

function Rate({ of }: { of: readonly string[] }) {
  return <span className="number">{rate(useRate(of))}</span>;
}
