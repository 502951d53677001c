// Backups: archives of the configuration, made here or brought from elsewhere, and taken over again.
import { type ChangeEvent, useRef, useState } from "react";
import { type Backup, contentOf, useBackups, useBackupVerbs } from "../../api/backups";
import { useMayChange } from "../../api/session";
import { DeleteDialog } from "../../parts/delete_dialog";
import { Listing } from "../../parts/listing";
import type { Column } from "../../parts/table";
import { When } from "../../parts/when";
import { t } from "../../texts";
import { bytes } from "../../words";
import { TakeOver } from "./take_over";

const COLUMNS: readonly Column<Backup>[] = [
  {
    name: t.backup.archive,
    width: "minmax(0, 3fr)",
    order: (row) => row.filename,
    cell: (row) => (
      <a href={contentOf(row.filename)} download={row.filename}>
        {row.filename}
      </a>
    ),
  },
  { name: t.backup.made, width: "minmax(0, 1fr)", phone: false, order: (row) => row.created_at_sec, cell: (row) => <When ms={Date.parse(row.created_at)} /> },
  { name: t.backup.size, width: "80px", order: (row) => row.size, cell: (row) => <span className="number">{bytes(row.size)}</span> },
];

export default function Backups() {
  const list = useBackups();
  const verbs = useBackupVerbs();
  const mayChange = useMayChange();
  const [taken, setTaken] = useState<string | null>(null);
  const [doomed, setDoomed] = useState<string | null>(null);
  return (
    <Listing
      page="backup"
      create={
        mayChange && (
          <>
            <Upload send={verbs.upload.mutate} busy={verbs.upload.isPending} />
            <button type="button" className="primary" disabled={verbs.make.isPending} onClick={() => verbs.make.mutate()}>
              {t.backup.make}
            </button>
          </>
        )
      }
      say={t.backup.say}
      list={list}
      failed={list.error ?? verbs.make.error ?? verbs.upload.error}
      columns={COLUMNS}
      name={(row) => row.filename}
      words={(row) => row.filename}
      menu={
        mayChange &&
        ((row) => (
          <>
            <button type="button" onClick={() => setTaken(row.filename)}>
              {t.backup.take}
            </button>
            <button type="button" className="danger" onClick={() => setDoomed(row.filename)}>
              {t.edit.delete}
            </button>
          </>
        ))
      }
      empty={<p>{t.backup.none}</p>}
    >
      {taken !== null && <TakeOver name={taken} close={() => setTaken(null)} />}
      {doomed !== null && <DeleteDialog name={doomed} close={() => setDoomed(null)} remove={() => verbs.remove.mutateAsync(doomed)} />}
    </Listing>
  );
}

function Upload({ send, busy }: { send: (file: File) => void; busy: boolean }) {
  const input = useRef<HTMLInputElement>(null);
  const chosen = (event: ChangeEvent<HTMLInputElement>) => {
    const [file] = event.target.files ?? [];
    if (file) send(file);
    event.target.value = ""; // so that the same file can be chosen again
  };
  return (
    <>
      <input ref={input} type="file" accept=".gz" hidden aria-label={t.backup.file} onChange={chosen} />
      <button type="button" disabled={busy} onClick={() => input.current?.click()}>
        {t.backup.upload}
      </button>
    </>
  );
}
