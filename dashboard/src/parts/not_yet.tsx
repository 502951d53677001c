// What stands in the place of a form whose object is not there yet: that it comes, or why it cannot be shown.
import { t } from "../texts";
import { Notice } from "./notice";

export function NotYet({ failed }: { failed: Error | null }) {
  return failed ? <Notice kind="bad">{failed.message}</Notice> : <p className="dim">{t.loading}</p>;
}
