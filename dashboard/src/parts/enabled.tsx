// Whether the object of a form is enabled. It is stored with the form's other settings.
import { t } from "../texts";
import type { Value } from "./form/value";
import { Switch } from "./switch";

type Props = { value: Value; change: (value: Value) => void; disabled: boolean };

export function Enabled({ value, change, disabled }: Props) {
  return (
    <div className="field">
      <label className="tools">
        <Switch on={value.enable !== false} disabled={disabled} change={(enable) => change({ ...value, enable })} /> {t.table.enabled}
      </label>
      <p className="help">{t.edit.enabledSay}</p>
    </div>
  );
}
