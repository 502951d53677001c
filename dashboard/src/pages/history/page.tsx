// Who changed what: every change of the configuration, with what it changed, and the way back.
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { bringBack, type Past, placeOf, useHistory, useHistoryOf } from "../../api/history";
import { useMayChange } from "../../api/session";
import { Dialog } from "../../parts/dialog";
import { Differences } from "../../parts/differences";
import { Notice } from "../../parts/notice";
import { type Column, Table } from "../../parts/table";
import { When } from "../../parts/when";
import { t } from "../../texts";
import { exact } from "../../words";

const STEP = 500;

export default function History() {
  const [limit, setLimit] = useState(STEP);
  const { data, error, isPending } = useHistory(limit);
  const [open, setOpen] = useState<Past | null>(null);
  const columns: Column<Past>[] = [
    { name: t.history.when, width: "120px", order: (row) => row.at, cell: (row) => <When ms={row.at} /> },
    {
      name: t.history.what,
      width: "minmax(0, 2fr)",
      order: (row) => row.key,
      cell: (row) => (
        <button type="button" className="link" title={row.key} onClick={() => setOpen(row)}>
          {row.key}
        </button>
      ),
    },
    { name: t.history.who, width: "minmax(0, 1fr)", order: (row) => row.by, cell: (row) => row.by },
    { name: t.history.how, width: "minmax(0, 1fr)", phone: false, cell: (row) => `${row.value ? "" : `${t.history.kinds.deleted} `}${t.history.through[row.source] ?? row.source}` },
    { name: t.overview.revision, width: "90px", phone: false, order: (row) => row.revision, cell: (row) => <span className="number">{row.revision}</span> },
  ];
  return (
    <section className="page">
      <h1>{t.pages.history}</h1>
      <p className="dim">{t.history.kept}</p>
      {error && <Notice kind="bad">{error.message}</Notice>}
      {isPending ? (
        <p className="dim">{t.loading}</p>
      ) : (
        <Table
          label={t.pages.history}
          rows={data?.data ?? []}
          columns={columns}
          id={(row) => String(row.revision)}
          words={(row) => `${row.key} ${row.by} ${row.source}`}
          empty={<p>{t.history.none}</p>}
          tools={
            data?.meta.hasnext && (
              <button type="button" onClick={() => setLimit(limit + STEP)}>
                {t.history.older}
              </button>
            )
          }
        />
      )}
      {open && <OneChange past={open} close={() => setOpen(null)} />}
    </section>
  );
}

function OneChange({ past, close }: { past: Past; close: () => void }) {
  const { data, error } = useHistoryOf(past.key);
  const queries = useQueryClient();
  const mayChange = useMayChange();
  const [said, setSaid] = useState<{ kind: "good" | "bad"; text: string } | null>(null);
  const all = data?.data ?? [];
  const before = all.find((each) => each.revision < past.revision);
  const isNewest = all[0]?.revision === past.revision;
  const place = placeOf(past.key);
  const { value } = past;

  async function back(state: NonNullable<typeof value>) {
    try {
      if (place) await bringBack(place, state);
      setSaid({ kind: "good", text: t.history.backDone });
      await queries.invalidateQueries();
    } catch (failed) {
      setSaid({ kind: "bad", text: (failed as Error).message });
    }
  }

  return (
    <Dialog title={t.history.open(past.key, exact(past.at))} close={close} wide>
      <p className="dim">
        {past.by} {t.history.through[past.source] ?? past.source},{" "}
        {value ? (before?.value ? t.history.kinds.changed : t.history.kinds.created) : t.history.kinds.deleted}
      </p>
      {error && <Notice kind="bad">{error.message}</Notice>}
      {said && <Notice kind={said.kind}>{said.text}</Notice>}
      {data && <Differences left={before?.value ?? {}} right={value ?? {}} names={[t.history.before, t.history.after]} same={t.history.same} labels={past.key.startsWith("rule/") ? t.rules.settings : {}} />}
      {mayChange && place && value && data && !isNewest && !said && <p className="dim">{t.history.backSay}</p>}
      <div className="answers">
        <button type="button" onClick={close} autoFocus>
          {t.edit.close}
        </button>
        {mayChange && place && value && data && !isNewest && (
          <button type="button" className="primary" onClick={() => void back(value)}>
            {t.history.back}
          </button>
        )}
      </div>
    </Dialog>
  );
}
