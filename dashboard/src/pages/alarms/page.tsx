// What does not work now: each line says what, where and why, and leads to the object.
import { type Alarm, useAlarms } from "../../api/alarms";
import { Notice } from "../../parts/notice";
import { type Column, Table } from "../../parts/table";
import { STATISTICS } from "../../parts/tabs";
import { to } from "../../route";
import { t } from "../../texts";

const COLUMNS: Column<Alarm>[] = [
  { name: t.alarms.what, width: "minmax(0, 2fr)", order: (row) => row.name, cell: (row) => <What name={row.name} /> },
  { name: t.alarms.why, width: "minmax(0, 3fr)", cell: (row) => <span title={row.message}>{row.message}</span> },
  { name: t.alarms.where, width: "minmax(0, 1fr)", phone: false, order: (row) => row.node, cell: (row) => <code title={row.node}>{row.node}</code> },
];

export default function Alarms() {
  const { data, error, isPending } = useAlarms();
  return (
    <section className="page">
      <div>
        <h1>{t.pages.alarms}</h1>
        <p className="dim">{t.alarms.say}</p>
      </div>
      {error && <Notice kind="bad">{error.message}</Notice>}
      {isPending && <p className="dim">{t.loading}</p>}
      {data && (
        <Table
          label={t.pages.alarms}
          rows={data}
          columns={COLUMNS}
          id={(row) => `${row.name} ${row.node}`}
          words={(row) => `${row.name} ${row.message} ${row.node}`}
          empty={<p>{t.alarms.none}</p>}
        />
      )}
    </section>
  );
}

/** "action/s3:raw" is the action s3:raw, and has a page. */
function What({ name }: { name: string }) {
  const [kind = "", ...id] = name.split("/");
  const family = { action: "actions", source: "sources", connector: "connectors" }[kind];
  return family ? <a href={to(family, id.join("/"), STATISTICS)} title={name}>{name}</a> : <>{name}</>;
}
