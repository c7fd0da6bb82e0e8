// Checks an AsyncAPI document: node tools/asyncapi.mjs docs/asyncapi.yaml
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const file = process.argv[2];
const diagnostics = await new Parser().validate(readFileSync(file, "utf8"));
// Severity 0 is an error, 1 a warning; hints (an id, a licence, …) are matters of taste.
const serious = diagnostics.filter(({ severity }) => severity <= 1);
for (const { code, message, path, range } of serious) {
  console.error(`${file}:${range.start.line + 1}: ${path.join(".")}: ${message} (${code})`);
}
process.exit(serious.length ? 1 : 0);
