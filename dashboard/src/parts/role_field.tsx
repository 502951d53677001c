// The choice of a role, with what it may do.
import { useId } from "react";
import type { Session } from "../api/session";
import { t } from "../texts";

const ROLES: Session["role"][] = ["administrator", "viewer"];

export function RoleField({ value = "viewer" }: { value?: string }) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{t.people.role}</label>
      <select id={id} name="role" defaultValue={value} aria-describedby={`${id}-help`}>
        {ROLES.map((role) => (
          <option key={role}>{role}</option>
        ))}
      </select>
      <p className="help" id={`${id}-help`}>
        {t.people.roleHelp}
      </p>
    </div>
  );
}
