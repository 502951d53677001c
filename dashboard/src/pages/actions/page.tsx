// The actions: the list, and the page of one.
import { idOf } from "../../api/objects";
import { ObjectList, STATUS } from "../../parts/object_list";
import { Statistics } from "../../parts/statistics";
import { Partitions } from "../../parts/statistics/partitions";
import { STATISTICS, Tabs } from "../../parts/tabs";
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
  const isNew = id === "new";
  return (
    <section className="page">
      <h1>{isNew ? t.actions.create : id}</h1>
      {!isNew && <Tabs family="actions" id={id} on="settings" />}
      <ActionForm
        key={id}
        id={isNew ? null : id}
        copyOf={query.get("copy")}
        connector={query.get("connector") ?? ""}
        saved={() => leaveFor(to("actions"))}
        cancel={() => go(to("actions"))}
      />
    </section>
  );
}

function List() {
  return (
    <ObjectList
      family="actions"
      name={(row) => row.name}
      note={(row) => row.description}
      words={(row) => `${row.name} ${row.description ?? ""} ${row.connector}`}
      dependants={(row) => row.rules ?? []}
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
          cell: (row) => row.rules?.join(", ") || <span className="dim">{t.actions.none_rules}</span>,
        },
      ]}
      menu={(row) => <a href={`${to("rules", "new")}?action=${encodeURIComponent(idOf("actions", row))}`}>{t.rules.create}</a>}
    />
  );
}
