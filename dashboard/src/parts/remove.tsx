// "Delete" on the page of one object: what goes with it is named before, and then the list is there.
import { useState } from "react";
import { type Family, idOf } from "../api/objects";
import { dependantsOf, orphansOf, useList, useVerbs } from "../api/use_objects";
import { leaveFor, to } from "../route";
import { t } from "../texts";
import { DeleteDialog } from "./delete_dialog";

export function Remove({ family, id }: { family: Family; id: string }) {
  const { data: all = [] } = useList(family);
  const { remove } = useVerbs(family);
  const [asking, setAsking] = useState(false);
  const mine = all.find((each) => idOf(family, each) === id);
  if (!mine) return null;
  return (
    <>
      <button type="button" className="danger" onClick={() => setAsking(true)}>
        {t.edit.delete}
      </button>
      {asking && (
        <DeleteDialog
          name={id}
          dependants={dependantsOf(family, mine)}
          orphans={orphansOf(family, mine, all)}
          close={() => setAsking(false)}
          remove={async (withDependants, also) => {
            await remove.mutateAsync({ id, withDependants, also });
            leaveFor(to(family));
          }}
        />
      )}
    </>
  );
}
