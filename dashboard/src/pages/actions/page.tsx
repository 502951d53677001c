// The actions: the list, and the page of one.
import { useState } from "react";
import { idOf } from "../../api/objects";
import { Links } from "../../parts/links";
import { Made } from "../../parts/made";
import { ObjectList, standing, STATUS } from "../../parts/object_list";
import { Statistics } from "../../parts/statistics";
import { Partitions } from "../../parts/statistics/partitions";
import { useStatusFilter } from "../../parts/status_filter";
import { STATISTICS, Tabs } from "../../parts/tabs";
import { When } from "../../parts/when";
import { go, leaveFor, type Route, to } from "../../route";
import { t } from "../../texts";
import { ActionForm } from "./form";

export default function Actions({ rest: [id, tab], query }: Route) {
  if (id === undefined) return <List />;
  if (tab === STATISTICS) {
    return (
      <Statistics family="actions" id={id}>
        <Partitions id={id} />
      </Statistics>
    );
  }
  return <One key={id} id={id === "new" ? null : id} copyOf={query.get("copy")} connector={query.get("connector") ?? ""} />;
}

function One({ id, copyOf, connector }: { id: string | null; copyOf: string | null; connector: string }) {
  const [made, setMade] = useState<string | null>(null);
  if (made) {
    return (
      <Made
        name={made}
        say={t.actions.then}
        next={t.actions.createRule}
        address={`${to("rules", "new")}?action=${encodeURIComponent(`s3:${made}`)}`}
        list={to("actions")}
      />
    );
  }
  return (
    <section className="page">
      <h1>{id ?? t.actions.create}</h1>
      {id !== null && <Tabs family="actions" id={id} on="settings" />}
      <ActionForm
        id={id}
        copyOf={copyOf}
        connector={connector}
        saved={(name) => (id === null ? setMade(name) : leaveFor(to("actions")))}
        cancel={() => go(to("actions"))}
      />
    </section>
  );
}

function List() {
  return (
    <ObjectList
      family="actions"
      filter={useStatusFilter()}
      name={(row) => row.name}
      note={(row) => row.description}
      below={standing}
      words={(row) => `${row.name} ${row.description ?? ""} ${row.connector}`}
      users={(row) => row.rules ?? []}
      columns={[
        STATUS,
        {
          name: t.columns.connector,
          width: "minmax(0, 1fr)",
          phone: false,
          order: (row) => row.connector,
          cell: (row) => <a href={to("connectors", `${row.type}:${row.connector}`)}>{row.connector}</a>,
        },
        {
          name: t.columns.rules,
          width: "minmax(0, 1fr)",
          phone: false,
          cell: (row) => <Links to={row.rules ?? []} none={t.actions.none_rules} at={(rule) => to("rules", rule)} />,
        },
        { name: t.columns.changed, width: "130px", phone: false, order: (row) => -row.last_modified_at, cell: (row) => <When ms={row.last_modified_at} /> },
      ]}
      menu={(row) => <a href={`${to("rules", "new")}?action=${encodeURIComponent(idOf("actions", row))}`}>{t.rules.create}</a>}
    />
  );
}
