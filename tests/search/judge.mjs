// Random profiles and queries, answered by our evaluation and by an XQuery engine of other makers (fontoxpath), which is
// the judge: both must return the same nodes in the same order. Arguments: build folder, seed, rounds, folder of modules.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";

const [build, seedText, roundsText, modules] = process.argv.slice(2);
const require = createRequire(path.resolve(modules, "any.js"));
const { evaluateXPath, registerCustomXPathFunction } = require("fontoxpath");
const slimdom = require("slimdom");

// The one function that the engine lacks.
registerCustomXPathFunction({ namespaceURI: "urn:judge", localName: "contains-token" }, ["xs:string?", "xs:string?"], "xs:boolean",
    (_, text, token) => {
        const wanted = (token ?? "").replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");
        return wanted !== "" && (text ?? "").split(/[ \t\r\n]+/).includes(wanted);
    });

// --- random, and the same for the same seed ---------------------------------------------------------------------
let state = Number(seedText) >>> 0;
function random(below) {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
}
const pick = (list) => list[random(list.length)];
const chance = (percent) => random(100) < percent;
const some = (most, make) => Array.from({ length: random(most + 1) }, make).join("");

// --- profiles ---------------------------------------------------------------------------------------------------
const NAMESPACE = "urn:oma:xml:xdm:user-profile";
const OTHER = "urn:other";
const words = ["Anna", "anna", "ANNA", "Ann", "Müller", "MÜLLER", "müller", "Öz", "öz", "Σίσυφος", "ΣΊΣΥΦΟΣ", "d'Arc",
    "\"Q\"", "a&b", "<x>", "", " ", "Straße", "STRASSE", "x y", "10", "9", "007", "1.50", "true", "0", "🎈", "z"]; // beyond U+FFFF the engine has another order
const escape = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/"/g, "&quot;");

function content(comments = true) {
    const word = pick(words);
    if (chance(8) && word)
        return `<![CDATA[${word}]]>`;
    if (comments && chance(8)) // of several text nodes we make one
        return `${escape(word)}<!-- no part of it -->${escape(pick(words))}`;
    if (chance(8))
        return escape(word).replace(/n/g, "&#110;");
    return chance(20) ? `${escape(word)} ${escape(pick(words))}` : escape(word);
}

const maybe = (percent, name, inside, attributes = "") =>
    chance(percent) ? (inside === "" && chance(50) ? `<${name}${attributes}/>` : `<${name}${attributes}>${inside}</${name}>`)
        : "";

function profile() {
    const other = chance(30) ? `<o:tag xmlns:o="${OTHER}" o:k="${escape(pick(words))}">${content()}<o:in>${content()}</o:in></o:tag>`
        : chance(20) ? `<tag xmlns="${OTHER}" k="1">${content()}<in xmlns="">${content()}</in></tag>` : "";
    const hobbies = maybe(60, "hobbies", some(3, () => `<hobby>${content(false)}</hobby>`));
    const name = maybe(70, "name", maybe(70, "given-name", content()) + maybe(70, "family-name", content()));
    const lang = chance(20) ? ` xml:lang="${pick(["de", "en"])}"` : "";
    return `<?xml version="1.0"?>\n<user-profiles xmlns="${NAMESPACE}" xmlns:q="${OTHER}"><user-profile ` +
        `uri="sip:${random(50)}@example.com"${chance(30) ? ` q:rank="${random(20)}"` : ""}>` +
        maybe(80, "display-name", content(false), lang) + name + maybe(50, "age", pick(["7", "10", " 9 ", "1e1", "07"])) +
        maybe(50, "open", pick(["true", "false", "1", "0", " true "])) + hobbies + other +
        maybe(20, "q:note", content()) + "</user-profile></user-profiles>";
}

// --- queries ----------------------------------------------------------------------------------------------------
const single = ["$u/@uri", "$u/display-name", "$u/name/given-name", "$u/name/family-name", "$u/name", "$u/@p:rank",
    "$u/p:note", "$u/nothing", "$u/display-name/@xml:lang", "$u/age", "$u/open"];
const several = [...single, "$u/hobbies/hobby", "$u/*", "$u/*/*", "$u/p:tag/@*", "$u/*:tag/*:in", "$u/p:*", "$u",
    "$u/hobbies/hobby/text()", "$u/display-name/text()"];
const quoted = (text) => (chance(50) ? `"${text.replace(/&/g, "&amp;").replace(/"/g, '""')}"`
    : `'${text.replace(/&/g, "&#38;").replace(/'/g, "''")}'`);
const literal = () => quoted(chance(20) ? `sip:${random(50)}@example.com` : pick(words));
const operator = () => pick(["=", "!=", "<", "<=", ">", ">=", "="]);
const text = () => pick([() => pick(single), () => `lower-case(${pick(single)})`, () => `upper-case(${pick(single)})`,
    () => `string(${pick(single)})`])();

function condition(depth) {
    const kinds = [
        () => `${pick(several)} ${operator()} ${literal()}`,
        () => `${pick(several)} ${operator()} ${pick(several)}`,
        () => `${pick(single)} ${pick(["eq", "ne", "lt", "ge"])} ${literal()}`,
        () => `lower-case(${pick(single)}) = ${quoted(pick(words).toLowerCase())}`,
        () => `upper-case(${pick(single)}) ${operator()} ${quoted(pick(words).toUpperCase())}`,
        () => `${pick(["contains", "starts-with", "fn:ends-with", "contains-token"])}(${text()}, ${chance(90) ? literal() : pick(single)})`,
        () => `$u/age ${operator()} ${pick(["9", "10", "7.5", "-1", "1e1"])}`,
        () => `${pick(["3", "10"])} ${operator()} $u/age`,
        () => `$u/open = ${pick(["true()", "false()"])}`,
        () => pick(several),
        () => `${pick(["exists", "empty"])}(${pick(several)})`,
    ];
    const deep = [
        () => `(${condition(depth - 1)} and ${condition(depth - 1)})`,
        () => `${condition(depth - 1)} or ${condition(depth - 1)}`,
        () => `not(${condition(depth - 1)})`,
        () => `(: why :) (${condition(depth - 1)})`,
    ];
    return depth && chance(60) ? pick(deep)() : pick(kinds)();
}

const key = () => ({ value: chance(30) ? `lower-case(${pick(single)})` : pick(single), descending: chance(40),
    greatest: chance(40), said: chance(50) });
const attributes = () => pick(["", "{$u/@uri}", "{$u/@uri}{$u/@p:rank}", "{$u/@p:rank,$u/display-name/@xml:lang}"]);
const parts = () => some(3, () => pick([`{${pick(several.filter((p) => !/@/.test(p)))}}`, " and &lt;{{}} ", "<more/>", "  ",
    `<p:in>{$u/@uri, $u/name}</p:in>`, `<same>${"{$u/display-name}"}</same>`]));

function query() {
    const name = pick(["r", "p:r"]);
    const made = `${attributes()}${parts()}`;
    return {
        prolog: `${chance(30) ? 'xquery version "1.0"; ' : ""}declare default element namespace "${NAMESPACE}"; ` +
            `declare namespace p="${OTHER}"; declare namespace j="urn:judge"; for $u in `,
        where: "/user-profiles/user-profile " + (chance(90) ? `where ${condition(3)} ` : ""),
        keys: chance(50) ? Array.from({ length: 1 + random(3) }, key) : [],
        made: made || chance(50) ? `<${name}>${made}</${name}>` : `<${name}/>`,
    };
}

const ordered = (keys) => (keys.length ? pick(["", "stable "]) + "order by " + keys.map((one) =>
    one.value + (one.descending ? " descending" : one.said ? " ascending" : "") +
    (one.greatest ? " empty greatest" : one.said ? " empty least" : "")).join(", ") + " " : "");

// --- what both say, in one form ---------------------------------------------------------------------------------
function canonical(node) {
    if (node.nodeType === 8)
        return `<!--${node.data}-->`;
    if (node.nodeType === 3 || node.nodeType === 4)
        return escape(node.data);
    const names = [...node.attributes].filter((a) => a.namespaceURI !== "http://www.w3.org/2000/xmlns/")
        .map((a) => ` {${a.namespaceURI ?? ""}}${a.localName}="${escape(a.value)}"`).sort();
    return `<{${node.namespaceURI ?? ""}}${node.localName}${names.join("")}>` +
        [...node.childNodes].map(canonical).join("") + "</>";
}

// In code points, as XQuery does without a collation.
function compare(a, b) {
    const left = Array.from(a), right = Array.from(b);
    for (let i = 0; i < left.length && i < right.length; i++)
        if (left[i] !== right[i])
            return left[i].codePointAt(0) - right[i].codePointAt(0);
    return left.length - right.length;
}

// The engine finds the keys and we sort by them: it knows but one key, and moves what is equal. All in one tree, since
// the order of several is its own.
function judged(asked, documents) {
    const tree = slimdom.parseXmlDocument(`<all>${documents.map((one) => one.replace(/^<[?].*[?]>/, "")).join("")}</all>`);
    const keys = asked.keys.map(({ value }) => `<k>{exists(${value})}</k><k>{string(${value})}</k>`).join("");
    const where = asked.where.replaceAll("contains-token(", "j:contains-token(");
    const nodes = evaluateXPath(`${asked.prolog}$c/*${where}return <judged>${keys}${asked.made}</judged>`, null, null,
        { c: tree }, evaluateXPath.ALL_RESULTS_TYPE, { language: evaluateXPath.XQUERY_3_1_LANGUAGE, nodesFactory: tree });
    const found = nodes.map((node) => ({ made: canonical(node.lastChild),
        keys: [...node.childNodes].slice(0, -1).map((one) => one.textContent) }));
    const order = (a, b) => {
        for (const [i, one] of asked.keys.entries()) {
            const there = [a, b].map((node) => node.keys[2 * i] === "true");
            const by = there[0] && there[1] ? compare(a.keys[2 * i + 1], b.keys[2 * i + 1])
                : (there[0] - there[1]) * (one.greatest ? -1 : 1);
            if (by)
                return one.descending ? -by : by;
        }
        return 0;
    };
    return found.sort(order).map((one) => one.made);
}

function ours(answer) {
    return answer.results.map((one) =>
        canonical(slimdom.parseXmlDocument(`<around xmlns="urn:around">${one}</around>`).documentElement.firstChild));
}

const cases = Array.from({ length: Number(roundsText) }, () => {
    const asked = query();
    return { asked, namespace: NAMESPACE, documents: Array.from({ length: 1 + random(12) }, profile),
        query: `${asked.prolog}collection("c")${asked.where}${ordered(asked.keys)}return ${asked.made}` };
});
const run = spawnSync(path.join(build, "search_answer"), { input: cases.map((c) => JSON.stringify(c)).join("\n") + "\n",
    encoding: "utf-8", maxBuffer: 1 << 30 });
if (run.status !== 0)
    throw new Error(`search_answer: ${run.status} ${run.signal ?? ""} ${run.stderr}`);
const answers = run.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));

let found = 0, wrong = 0;
cases.forEach((one, i) => {
    let expected;
    try {
        expected = judged(one.asked, one.documents);
    } catch (error) {
        expected = [`refused: ${error.message.slice(0, 200)}`];
    }
    const got = answers[i].refused ? [`refused: ${answers[i].refused}`] : ours(answers[i]);
    found += got.length;
    if (JSON.stringify(got) === JSON.stringify(expected))
        return;
    if (++wrong <= 5)
        console.error(`case ${i} of seed ${seedText}: ${one.query}\n  ${one.documents.join("\n  ")}\n  judge: ${expected.join("\n    ")}` +
            `\n  ours:  ${got.join("\n    ")}\n`);
});
console.log(`${cases.length} queries, ${found} found, ${wrong} not as the judge says`);
process.exit(wrong || !found ? 1 : 0);
