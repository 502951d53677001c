// The users: whoever may sign in, and with which role.
import { useState } from "react";
import { type User, useUsers, useUserVerbs } from "../../api/people";
import { useMayChange, useWho } from "../../api/session";
import { DeleteDialog } from "../../parts/delete_dialog";
import { FormDialog } from "../../parts/form_dialog";
import { Listing } from "../../parts/listing";
import { RoleField } from "../../parts/role_field";
import type { Column } from "../../parts/table";
import { TextField } from "../../parts/text_field";
import { t } from "../../texts";

export default function Users() {
  const list = useUsers();
  const verbs = useUserVerbs();
  const mayChange = useMayChange();
  const me = useWho().username;
  const [open, setOpen] = useState<User | "new" | null>(null);
  const [doomed, setDoomed] = useState<User | null>(null);
  const columns: Column<User>[] = [
    {
      name: t.people.name,
      width: "minmax(0, 1fr)",
      order: (row) => row.username,
      cell: (row) => (
        <>
          {row.username} {row.username === me && <span className="dim">{t.people.you}</span>}
        </>
      ),
    },
    { name: t.people.role, width: "140px", order: (row) => row.role, cell: (row) => row.role },
    { name: t.columns.description, width: "minmax(0, 2fr)", phone: false, cell: (row) => row.description },
  ];
  return (
    <Listing
      page="users"
      create={
        mayChange && (
          <button type="button" className="primary" onClick={() => setOpen("new")}>
            {t.people.createUser}
          </button>
        )
      }
      list={list}
      failed={list.error}
      columns={columns}
      name={(row) => row.username}
      words={(row) => `${row.username} ${row.role} ${row.description}`}
      menu={
        mayChange &&
        ((row) => (
          <>
            <button type="button" onClick={() => setOpen(row)}>
              {t.edit.settings}
            </button>
            <button type="button" className="danger" onClick={() => setDoomed(row)}>
              {t.edit.delete}
            </button>
          </>
        ))
      }
      empty={null}
    >
      {open === "new" && (
        <FormDialog
          title={t.people.createUser}
          verb={t.edit.create}
          close={() => setOpen(null)}
          send={(form) => verbs.create.mutateAsync({ ...fieldsOf(form), username: text(form, "username"), password: text(form, "password") })}
        >
          <TextField label={t.people.name} name="username" />
          <TextField label={t.login.password} name="password" type="password" autoComplete="new-password" minLength={8} help={t.people.passwordHelp} />
          <RoleField />
          <TextField label={t.columns.description} name="description" required={false} />
        </FormDialog>
      )}
      {open !== null && open !== "new" && (
        <FormDialog
          title={open.username}
          verb={t.edit.save}
          close={() => setOpen(null)}
          send={(form) => verbs.change.mutateAsync({ ...fieldsOf(form), username: open.username })}
        >
          <RoleField value={open.role} />
          <TextField label={t.columns.description} name="description" value={open.description} required={false} />
        </FormDialog>
      )}
      {doomed && <DeleteDialog name={doomed.username} close={() => setDoomed(null)} remove={() => verbs.remove.mutateAsync(doomed.username)} />}
    </Listing>
  );
}

const text = (form: FormData, name: string) => String(form.get(name) ?? "");
const fieldsOf = (form: FormData) => ({ role: text(form, "role"), description: text(form, "description") });
