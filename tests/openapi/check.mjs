// Checks the description of the HTTP API, and real exchanges against it. Arguments: the folder with node_modules, the
// description, a file of exchanges (a JSON object per line). One line per finding; exit code 1 if there is one.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, descriptionFile, exchangesFile] = process.argv.slice(2);
const require = createRequire(join(modules, "here.js"));
const { Validator } = await import(
    pathToFileURL(join(modules, "node_modules/@seriousme/openapi-schema-validator/index.js")));
const Ajv2020 = require("ajv/dist/2020.js").default;
const addFormats = require("ajv-formats").default ?? require("ajv-formats");

const description = JSON.parse(readFileSync(descriptionFile, "utf-8"));
const findings = [];
const validity = await new Validator().validate(structuredClone(description));
if (!validity.valid) findings.push(`the description: ${JSON.stringify(validity.errors)}`);
if (description.openapi !== "3.1.0") findings.push(`the description is of OpenAPI ${description.openapi}`);

// "not" is no part of the description, so strict mode finds misspelt keywords and nothing else.
const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addSchema(description, "api");
const checks = new Map();

function check(pointer) {
    if (!checks.has(pointer)) checks.set(pointer, ajv.compile({ $ref: `api#${pointer}` }));
    return checks.get(pointer);
}

const escaped = (part) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"));
const pointer = (...parts) => parts.map((part) => `/${escaped(part)}`).join("");

function templateOf(path) {
    const parts = path.split("/");
    const fits = (template) => {
        const names = template.split("/");
        return names.length === parts.length && names.every((name, i) => name.startsWith("{") || name === parts[i]);
    };
    return Object.keys(description.paths).find(fits);
}

const used = new Set();

function judge({ method, path, query, status, type, body, sent }) {
    const where = `${method.toUpperCase()} ${path}${query ? "?" + query : ""} -> ${status}`;
    const template = templateOf(path);
    const operation = template && description.paths[template][method];
    if (!operation) return [`${where}: no such operation`];
    const code = operation.responses[status] ? String(status) : "default";
    const found = [];
    const response = operation.responses[code];
    if (!response) return [`${where}: no such answer`];
    if (status < 300) used.add(`${method} ${template}`);
    const media = Object.keys(response.content ?? {}).find((name) => type.startsWith(name.replace(/\*$/, "")));
    if (body && !media) found.push(`${where}: answers ${type}`);
    if (media === "application/json") {
        const judgeBody = check(pointer("paths", template, method, "responses", code, "content", media, "schema"));
        if (!judgeBody(JSON.parse(body))) found.push(`${where}: ${JSON.stringify(judgeBody.errors)} in ${body}`);
    }
    const names = [...(operation.parameters ?? []), ...(description.paths[template].parameters ?? [])]
        .filter((parameter) => parameter.in === "query").map((parameter) => parameter.name);
    for (const pair of query ? query.split("&") : [])
        if (status < 300 && !names.includes(pair.split("=")[0])) found.push(`${where}: no parameter ${pair}`);
    if (sent && status < 300 && operation.requestBody?.content["application/json"]) {
        const judgeSent = check(pointer("paths", template, method, "requestBody", "content", "application/json", "schema"));
        if (!judgeSent(JSON.parse(sent))) found.push(`${where}: sent ${sent}: ${JSON.stringify(judgeSent.errors)}`);
    }
    return found;
}

const exchanges = readFileSync(exchangesFile, "utf-8").split("\n").filter(Boolean).map((line) => JSON.parse(line));
for (const exchange of exchanges) findings.push(...judge(exchange));
for (const [template, item] of Object.entries(description.paths))
    for (const method of ["get", "put", "post", "delete", "patch"])
        if (item[method] && !used.has(`${method} ${template}`)) findings.push(`${method} ${template}: never tried`);

console.log(findings.length ? findings.join("\n") : `${exchanges.length} exchanges, all as described`);
process.exit(findings.length ? 1 : 0);
