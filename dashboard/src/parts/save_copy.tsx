// "Save as copy": what is on the screen, saved or not, as a new object of another name. The old one stays as it is stored.
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { create, type Edited } from "../api/objects";
import { leaveFor, to } from "../route";
import { t } from "../texts";
import { named } from "./edit";
import { FormDialog } from "./form_dialog";
import { TextField } from "./text_field";

export function SaveCopy({ family, id, value }: { family: Edited; id: string; value: Record<string, unknown> }) {
  const queries = useQueryClient();
  const [asking, setAsking] = useState(false);
  const own = id.indexOf(":") + 1; // where its name begins, after its type

  async function send(form: FormData) {
    const copy = id.slice(0, own) + String(form.get("name"));
    await create(family, named(family, copy, value));
    void queries.invalidateQueries({ queryKey: ["list"] });
    leaveFor(to(family, copy));
  }

  return (
    <>
      <button type="button" onClick={() => setAsking(true)}>
        {t.edit.saveCopy}
      </button>
      {asking && (
        <FormDialog title={t.edit.saveCopy} verb={t.edit.create} send={send} close={() => setAsking(false)}>
          <TextField label={family === "rules" ? t.rules.id : t.columns.name} name="name" value={t.edit.copy(id.slice(own))} help={t.edit.saveCopySay(id)} />
        </FormDialog>
      )}
    </>
  );
}
