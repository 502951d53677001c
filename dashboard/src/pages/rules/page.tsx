// The rules: the list. The editor of one is loaded when it is opened.
import { lazy } from "react";
import { useLive } from "../../api/live";
import { named } from "../../api/objects";
import { Links } from "../../parts/links";
import { ObjectList } from "../../parts/object_list";
import { Statistics } from "../../parts/statistics";
import { STATISTICS } from "../../parts/tabs";
import { type Route, to } from "../../route";
import { t } from "../../texts";
import { useFilter } from "./filter";

const RuleEditor = lazy(() => import("./rule_editor"));

export default function Rules({ rest: [id, tab], query }: Route) {
  if (id === undefined) return <List />;
  if (tab === STATISTICS) return <Statistics family="rules" id={id} />;
  return <RuleEditor key={id} id={id === "new" ? null : id} copyOf={query.get("copy")} action={query.get("action")} sql={query.get("sql")} />;
}

/** Its own part of the tree, so that a new number draws one cell and not the list. */
function Rate({ id }: { id: string }) {
  return <span className="number">{useLive((live) => live?.rates[`rule/${id}`]?.toFixed(1) ?? "–")}</span>;
}

/** One of EMQX's functions has no page. */
const actionAt = (action: string) => (action.includes(":") ? to("actions", action) : "");

function List() {
  const filter = useFilter();
  return (
    <ObjectList
      filter={filter}
      family="rules"
      name={(row) => row.id}
      note={(row) => row.description}
      words={(row) => `${row.id} ${row.description ?? ""} ${row.sql} ${row.actions.map(named).join(" ")}`}
      columns={[
        {
          name: t.columns.from,
          width: "minmax(0, 2fr)",
          phone: false,
          order: (row) => row.from?.[0] ?? "",
          cell: (row) => <code title={row.sql}>{row.from?.join(", ")}</code>,
        },
        { name: t.columns.actions, width: "minmax(0, 1fr)", phone: false, cell: (row) => <Links to={row.actions.map(named)} none={t.rules.noActions} at={actionAt} /> },
        { name: t.columns.rate, width: "90px", cell: (row) => <Rate id={row.id} /> },
      ]}
      menu={(row) => <a href={to("flow", row.id)}>{t.flow.open}</a>}
    />
  );
}
