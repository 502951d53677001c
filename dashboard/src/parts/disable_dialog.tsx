// The question before something in use is switched off, with those that stop with it.
import { t } from "../texts";
import { Names } from "./delete_dialog";
import { Dialog } from "./dialog";

type Props = { name: string; users: readonly string[]; disable: () => void; close: () => void };

export function DisableDialog({ name, users, disable, close }: Props) {
  return (
    <Dialog title={t.edit.reallyDisable(name)} close={close}>
      <p>{t.edit.disableSay}</p>
      <Names of={users} />
      <div className="answers">
        <button type="button" onClick={close} autoFocus>
          {t.edit.cancel}
        </button>
        <button
          type="button"
          className="danger"
          onClick={() => {
            disable();
            close();
          }}
        >
          {t.edit.disable}
        </button>
      </div>
    </Dialog>
  );
}
