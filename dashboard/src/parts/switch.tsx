// A switch: a checkbox that says it is one.

type Props = {
  id?: string;
  on: boolean;
  change: (on: boolean) => void;
  disabled?: boolean;
  label?: string;
  described?: string;
};

export function Switch({ id, on, change, disabled, label, described }: Props) {
  return (
    <input
      id={id}
      type="checkbox"
      role="switch"
      className="switch"
      checked={on}
      disabled={disabled}
      aria-label={label}
      aria-describedby={described}
      onChange={(event) => change(event.target.checked)}
    />
  );
}
