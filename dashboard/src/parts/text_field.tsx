// One line of text in a short form that is read when it is sent.
import { useId } from "react";
import { t } from "../texts";

type Props = {
  label: string;
  name: string;
  type?: "text" | "password";
  autoComplete?: string;
  value?: string;
  help?: string;
  required?: boolean;
  minLength?: number;
};

export function TextField({ label, name, type = "text", autoComplete = "off", value = "", help, required = true, minLength }: Props) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>
        {label} {!required && <span className="dim">({t.form.optional})</span>}
      </label>
      <input
        id={id}
        name={name}
        type={type}
        autoComplete={autoComplete}
        defaultValue={value}
        required={required}
        minLength={minLength}
        aria-describedby={help ? `${id}-help` : undefined}
      />
      {help && (
        <p className="help" id={`${id}-help`}>
          {help}
        </p>
      )}
    </div>
  );
}
