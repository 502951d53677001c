// The user's own password.
import { type FormEvent, useState } from "react";
import { changePassword } from "../../api/people";
import { useWho } from "../../api/session";
import { Notice } from "../../parts/notice";
import { TextField } from "../../parts/text_field";
import { useUnsaved } from "../../route";
import { t } from "../../texts";

export default function Account() {
  const { username, role } = useWho();
  const [said, setSaid] = useState<{ kind: "good" | "bad"; text: string } | null>(null);
  const [busy, setBusy] = useState(false);
  const [typed, setTyped] = useState(false);
  useUnsaved(typed);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = event.currentTarget;
    const field = (name: string) => String(new FormData(form).get(name));
    if (field("new") !== field("again")) return setSaid({ kind: "bad", text: t.people.differ });
    setBusy(true);
    try {
      await changePassword(username, field("old"), field("new"));
      form.reset();
      setTyped(false);
      setSaid({ kind: "good", text: t.people.changed });
    } catch (error) {
      setSaid({ kind: "bad", text: (error as Error).message });
    } finally {
      setBusy(false);
    }
  }

  return (
    <section className="page">
      <h1>{t.pages.account}</h1>
      <p className="dim">
        {username} · {role}
      </p>
      <form className="card narrow" onInput={() => setTyped(true)} onSubmit={(event) => void submit(event)}>
        <h2>{t.people.changePassword}</h2>
        {said && <Notice kind={said.kind}>{said.text}</Notice>}
        <input type="hidden" autoComplete="username" value={username} readOnly />
        <TextField label={t.people.oldPassword} name="old" type="password" autoComplete="current-password" />
        <TextField label={t.people.newPassword} name="new" type="password" autoComplete="new-password" minLength={8} help={t.people.passwordHelp} />
        <TextField label={t.people.again} name="again" type="password" autoComplete="new-password" minLength={8} />
        <div className="answers">
          <button className="primary" disabled={busy}>
            {t.people.changePassword}
          </button>
        </div>
      </form>
    </section>
  );
}
