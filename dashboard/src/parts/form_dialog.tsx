// A short form over the page. What the server refuses stays open, with the reason.
import { type FormEvent, type ReactNode, useState } from "react";
import { useUnsaved } from "../route";
import { t } from "../texts";
import { Dialog } from "./dialog";
import { Notice } from "./notice";

type Props = { title: string; verb: string; send: (form: FormData) => Promise<unknown>; close: () => void; children: ReactNode };

export function FormDialog({ title, verb, send, close, children }: Props) {
  const [said, setSaid] = useState("");
  const [busy, setBusy] = useState(false);
  const [typed, setTyped] = useState(false);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    event.stopPropagation(); // the dialog may be in another form
    setBusy(true);
    try {
      await send(new FormData(event.currentTarget));
      close();
    } catch (error) {
      setSaid((error as Error).message);
      setBusy(false);
    }
  }

  return (
    <Dialog title={title} close={close}>
      <form onInput={() => setTyped(true)} onSubmit={(event) => void submit(event)}>
        <Unsaved typed={typed} />
        {said && <Notice kind="bad">{said}</Notice>}
        {children}
        <div className="answers">
          <button type="button" onClick={close}>
            {t.edit.cancel}
          </button>
          <button className="primary" disabled={busy}>
            {verb}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** Inside the dialog, which is where the question belongs. */
function Unsaved({ typed }: { typed: boolean }) {
  useUnsaved(typed);
  return null;
}
