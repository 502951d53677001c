// A new action where one is chosen, without leaving.
import { useState } from "react";
import { Dialog } from "../../parts/dialog";
import { t } from "../../texts";
import { ActionForm } from "./form";

/** A button, and the form that it opens. `sql`: of the rule that will feed the action; `made` gets `s3:NAME`. */
export function NewAction({ sql, made }: { sql: string; made: (action: string) => void }) {
  const [making, setMaking] = useState(false);
  const close = () => setMaking(false);
  return (
    <>
      <button type="button" onClick={() => setMaking(true)}>
        {t.rules.newAction}
      </button>
      {making && (
        <Dialog title={t.rules.newAction} close={close} wide>
          <ActionForm
            id={null}
            sql={sql}
            cancel={close}
            saved={(name) => {
              made(`s3:${name}`);
              close();
            }}
          />
        </Dialog>
      )}
    </>
  );
}
