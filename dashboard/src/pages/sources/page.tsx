// The sources: the list, the choice of a type, and the page of one.
import { useMayChange } from "../../api/session";
import { Notice } from "../../parts/notice";
import { ObjectList, standing, STATUS } from "../../parts/object_list";
import { Statistics } from "../../parts/statistics";
import { useStatusFilter } from "../../parts/status_filter";
import { STATISTICS, Tabs } from "../../parts/tabs";
import { TriedForm } from "../../parts/tried_form";
import { go, leaveFor, type Route, to } from "../../route";
import { t } from "../../texts";

export default function Sources({ rest: [id, tab], query }: Route) {
  if (id === undefined) return <List />;
  if (tab === STATISTICS) return <Statistics family="sources" id={id} />;
  if (id !== "new") return <One key={id} id={id} type={typeOf(id)} copyOf={null} />;
  const copyOf = query.get("copy");
  const type = copyOf === null ? query.get("type") : typeOf(copyOf);
  return type === null ? <Types /> : <One key={type} id={null} type={type} copyOf={copyOf} />;
}

function typeOf(id: string): string {
  return id.slice(0, id.indexOf(":"));
}

/** The others wait for whoever connects to them. */
function connects(type: string): boolean {
  return type === "mqtt";
}

function List() {
  return (
    <ObjectList
      family="sources"
      filter={useStatusFilter()}
      name={(row) => row.name}
      note={(row) => String(row.description || (row.server ?? row.bind ?? ""))}
      below={standing}
      words={(row) => `${row.name} ${row.type} ${row.description ?? ""} ${row.server ?? row.bind ?? ""}`}
      reconnects={(row) => connects(row.type)}
      columns={[
        STATUS,
        { name: t.sources.type, width: "minmax(0, 1fr)", phone: false, order: (row) => row.type, cell: (row) => t.sources.types[row.type]?.name ?? row.type },
      ]}
    />
  );
}

function Types() {
  return (
    <section className="page">
      <div className="heading">
        <h1>{t.sources.create}</h1>
        <button type="button" onClick={() => go(to("sources"))}>
          {t.edit.cancel}
        </button>
      </div>
      <p>{t.sources.chooseType}</p>
      <div className="choices">
        {Object.entries(t.sources.types).map(([type, { name, say }]) => (
          <a className="card" key={type} href={`${to("sources", "new")}?type=${type}`}>
            <b>{name}</b>
            <span className="dim">{say}</span>
          </a>
        ))}
      </div>
    </section>
  );
}

function One({ id, type, copyOf }: { id: string | null; type: string; copyOf: string | null }) {
  const mayChange = useMayChange();
  return (
    <section className="page">
      <div className="heading">
        <h1>{id ?? `${t.sources.create}: ${t.sources.types[type]?.name ?? type}`}</h1>
      </div>
      {id !== null && <Tabs family="sources" id={id} on="settings" />}
      {!mayChange && <Notice kind="warn">{t.edit.read}</Notice>}
      <TriedForm
        family="sources"
        type={type}
        {...(connects(type) && { works: t.sources.works })}
        id={id}
        copyOf={copyOf}
        saved={() => leaveFor(to("sources"))}
        cancel={() => go(to("sources"))}
      />
    </section>
  );
}
