// The form of a connector, which begins with what each kind of store needs. The form of an action opens it in a dialog too.
import type { Value } from "../../parts/form/value";
import { type FormProps, TriedForm } from "../../parts/tried_form";
import { t } from "../../texts";
import { PRESETS } from "./presets";

export function ConnectorForm(props: FormProps) {
  return (
    <TriedForm
      {...props}
      family="connectors"
      type="s3"
      works={t.connectors.works}
      before={(edit) => <Presets change={edit.change} value={edit.value} />}
    />
  );
}

function Presets({ value, change }: { value: Value; change: (value: Value) => void }) {
  return (
    <div className="field">
      <span className="dim">{t.connectors.presetSay}</span>
      <div className="tools" role="group" aria-label={t.connectors.preset}>
        {PRESETS.map(({ name, settings }) => (
          <button type="button" key={name} onClick={() => change({ ...value, ...settings })}>
            {name}
          </button>
        ))}
      </div>
    </div>
  );
}
