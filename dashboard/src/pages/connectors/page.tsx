// The connectors: the list, and the page of one.
import { useState } from "react";
import { useMayChange } from "../../api/session";
import { Links } from "../../parts/links";
import { Made } from "../../parts/made";
import { Notice } from "../../parts/notice";
import { ObjectList, standing, STATUS } from "../../parts/object_list";
import { useStatusFilter } from "../../parts/status_filter";
import { STATISTICS, Tabs } from "../../parts/tabs";
import { go, leaveFor, type Route, to } from "../../route";
import { t } from "../../texts";
import { ConnectorForm } from "./form";
import { Standing } from "./standing";

export default function Connectors({ rest: [id, tab], query }: Route) {
  if (id === undefined) return <List />;
  if (tab === STATISTICS) return <Standing id={id} />;
  return <One key={id} id={id === "new" ? null : id} copyOf={query.get("copy")} />;
}

function List() {
  return (
    <ObjectList
      family="connectors"
      filter={useStatusFilter()}
      name={(row) => row.name}
      note={(row) => row.description || `${row.host}:${row.port}`}
      below={standing}
      words={(row) => `${row.name} ${row.description ?? ""} ${row.host ?? ""}`}
      users={(row) => row.actions ?? []}
      columns={[
        STATUS,
        {
          name: t.columns.usedBy,
          width: "minmax(0, 2fr)",
          phone: false,
          cell: (row) => <Links to={row.actions ?? []} none={t.edit.nobody} at={(action) => to("actions", `s3:${action}`)} />,
        },
      ]}
      menu={(row) => <a href={`${to("actions", "new")}?connector=${encodeURIComponent(row.name)}`}>{t.actions.create}</a>}
    />
  );
}

function One({ id, copyOf }: { id: string | null; copyOf: string | null }) {
  const mayChange = useMayChange();
  const [made, setMade] = useState<string | null>(null);
  if (made) {
    return (
      <Made
        name={made}
        say={t.connectors.then}
        next={t.connectors.createAction}
        address={`${to("actions", "new")}?connector=${encodeURIComponent(made)}`}
        list={to("connectors")}
      />
    );
  }
  return (
    <section className="page">
      <div className="heading">
        <h1>{id ?? t.connectors.create}</h1>
      </div>
      {id !== null && <Tabs family="connectors" id={id} on="settings" />}
      {!mayChange && <Notice kind="warn">{t.edit.read}</Notice>}
      <ConnectorForm
        id={id}
        copyOf={copyOf}
        saved={(name) => (id === null ? setMade(name) : leaveFor(to("connectors")))}
        cancel={() => go(to("connectors"))}
      />
    </section>
  );
}
