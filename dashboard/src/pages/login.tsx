// The door: sign in. While there is no user, it says where the link for the first one is.
import { type FormEvent, useState } from "react";
import { signIn, useAskAgain } from "../api/session";
import { Notice } from "../parts/notice";
import { TextField } from "../parts/text_field";
import { t } from "../texts";

type Props = { first: boolean; trouble: string; name?: string; done?: () => void };

export function Login({ first, trouble, name = "", done }: Props) {
  const askAgain = useAskAgain();
  const [said, setSaid] = useState(trouble);
  const [busy, setBusy] = useState(false);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    try {
      await signIn(String(form.get("username")), String(form.get("password")));
      await askAgain();
      done?.();
    } catch (error) {
      setSaid((error as Error).message);
    } finally {
      setBusy(false);
    }
  }

  const form = (
    <form onSubmit={(event) => void submit(event)}>
      {said && <Notice kind="bad">{said}</Notice>}
      {first && <Notice kind="warn">{t.login.firstSay}</Notice>}
      <TextField label={t.login.name} name="username" autoComplete="username" value={name} />
      <TextField label={t.login.password} name="password" type="password" autoComplete="current-password" />
      <button className="primary" disabled={busy}>
        {t.login.submit}
      </button>
    </form>
  );
  if (done) return form;
  return (
    <main className="door">
      <div className="card">
        <p className="brand">
          <img src="icon.svg" alt="" /> {t.product}
        </p>
        <h1>{first ? t.login.first : t.login.title}</h1>
        {form}
      </div>
    </main>
  );
}
