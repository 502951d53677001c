// Makes src/api/schema.d.ts of the OpenAPI document on standard input: what the page reads. Bodies stand in no type, since forms
// are made of the schemas of settings as the page runs.
import { readFileSync, writeFileSync } from "node:fs";
import openapi, { astToString } from "openapi-typescript";

const { openapi: version, components } = JSON.parse(readFileSync(0, "utf8"));
const answers = Object.entries(components.schemas).filter(([name]) => !/^(New[A-Z]|Changed[A-Z]|Draft$)/.test(name));
const document = { openapi: version, info: { title: "Tidegate", version: "0" }, paths: {}, components: { schemas: Object.fromEntries(answers) } };
const head = "// Made by `make types` from the OpenAPI document of the API; CI makes it again and compares.\n\n";
writeFileSync("src/api/schema.d.ts", head + astToString(await openapi(document)));
