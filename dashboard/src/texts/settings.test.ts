import { expect, test } from "vitest";
import { choiceOf, differs, labelOf, placeOf } from "./settings";

test("the label of a setting is made of its words", () => {
  const labels = {
    access_key_id: "Access Key ID",
    time_interval: "Time Interval",
    bucket: "Bucket",
    cacertfile: "CA Certificate File",
    clientid_from: "Client ID From",
    control_packets_per_second: "Control Packets per Second",
    resource_opts: "Resource Options",
    qos: "QoS",
    sse_kms_key_id: "SSE KMS Key ID",
  };

  expect(Object.fromEntries(Object.keys(labels).map((name) => [name, labelOf(name)]))).toEqual(labels);
});

test("the name is told where the label does not say it", () => {
  expect(["bucket", "qos", "max_records", "clientid"].map(differs)).toEqual([false, false, true, true]);
});

test("a choice and a place are in words too, and what is no word stays", () => {
  expect(["json_lines", "direct", "3.1.1", "aws:kms"].map(choiceOf)).toEqual(["JSON Lines", "Direct", "3.1.1", "aws:kms"]);
  expect(placeOf("parameters.max_records")).toBe("Parameters › Max Records");
});
