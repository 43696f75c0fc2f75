// The page of the admin port: looks up people, groups, documents, what waits and what became of messages. It changes
// nothing. Which view is shown stands behind the # of the address, so that each can be kept and gone back to.
import { Refused, ask, element, facts, link, list, parse, path, post, query, section, table, text, token, userLink, when } from "./parts.js";

const PROFILES = "org.openmobilealliance.user-profile/users/";
const GROUPS = "org.openmobilealliance.groups/users/";
const PAGE = 50;
const main = document.getElementById("main");
const status = document.getElementById("status");
const login = document.getElementById("login");

const literal = (words) => `"${words.replaceAll("&", "&amp;").replaceAll('"', '""')}"`;

// All words somewhere in the name shown, in any case, as xdmctl find asks.
function named(target, elements, words) {
  const conditions = words.trim().split(/\s+/).map((word) => `contains(lower-case($x/display-name), ${literal(word.toLowerCase())})`);
  return { target, max: PAGE, query: `for $x in collection("${target}")${elements} where ${conditions.join(" and ")}`
    + " order by $x/display-name return <found>{$x/@uri}{$x/display-name}</found>" };
}

function readFound(xml) {
  const root = parse(xml).documentElement;
  return { uri: root.getAttribute("uri") ?? "", name: root.firstElementChild?.textContent ?? "" };
}

const readNote = (found) => (found.indexed ? "" : `No index helped: ${found.documents} documents were read.`);

const searched = (body, row) => async (after) => {
  const found = await post("search", { ...body, after });
  return { rows: found.results.map(readFound).map(row), next: found.next, note: readNote(found) };
};

async function accountOf(name) {
  try {
    return [await ask(`users/${path(name)}`)];
  } catch (error) {
    if (error.status === 404) return [];
    throw error;
  }
}

const accountRow = (user) => [userLink(user.address), user.displayName, user.aliases.join(", "), user.roles.join(", ")];
const accountHeads = ["Address", "Name", "Aliases", "Roles"];

const accounts = (from) => async (after) => {
  const page = await ask("users" + query({ limit: PAGE, after: after ?? from }));
  return { rows: page.users.map(accountRow), next: page.next };
};

// The account of that name or alias, and those whose names begin so.
const accountsLike = (words) => async (after) => {
  const page = await ask("users" + query({ limit: PAGE, after: after ?? words }));
  const exact = after ? [] : await accountOf(words);
  const begin = page.users.filter((user) => user.name.startsWith(words.toLowerCase())
    && !exact.some((one) => one.address === user.address));
  const whole = begin.length && begin.at(-1).address === page.users.at(-1).address;
  return { rows: [...exact, ...begin].map(accountRow), next: whole ? page.next : undefined };
};

function findPeople(words) {
  return [
    element("h1", {}, `People: ${words}`),
    section("Profiles with these words in their name", () => list(["Name", "Address"], "No profile has them.",
      searched(named(PROFILES, "/user-profiles/user-profile", words), (one) => [one.name, userLink(one.uri)]))),
    section("Accounts of this name", () => list(accountHeads, "There is no such account.", accountsLike(words.trim()))),
  ];
}

const groupLink = (uri) => (uri ? link(uri, { view: "group", uri }) : "");

function findGroups(words) {
  return [
    element("h1", {}, `Groups: ${words}`),
    section("Groups with these words in their name", () => list(["Name", "Address"], "No group has them.",
      searched(named(GROUPS, "/group/list-service", words), (one) => [one.name, groupLink(one.uri)]))),
    section("Group of this address", async () => {
      const uri = words.includes(":") ? words.trim() : `sip:${words.trim()}`;
      await text(`groups/${path(uri)}`);
      return element("p", {}, groupLink(uri));
    }),
  ];
}

const steps = (fate) => element("ol", {}, ...fate.steps.map((step) =>
  element("li", {}, `${when(step.time)} ${step.step}`, step.detail ? element("span", { class: "soft" }, ` ${step.detail}`) : "")));

const fateRow = (fate) => [userLink(fate.sender), userLink(fate.recipient), groupLink(fate.group),
  link(fate.messageId || "(none)", { view: "message", id: fate.messageId }), steps(fate)];

async function fates(where) {
  const found = await ask(where + query({ limit: PAGE }));
  return found.fates.length ? table(["From", "To", "Group", "Message", "What became of it"], found.fates.map(fateRow))
    : element("p", { class: "soft" }, "There are no messages yet.");
}

const waiting = (where) => async (after) => {
  const page = await ask(where + query({ limit: PAGE, after }));
  const rows = page.waiting.map((one) => [userLink(one.recipient), userLink(one.sender), one.subject ?? "", when(one.since), one.why,
    one.tries, one.messageId ? link(one.messageId, { view: "message", id: one.messageId }) : ""]);
  return { rows, next: page.next, note: page.count ? `${page.count} in all, ${page.bytes} bytes, since ${when(page.oldest)}.` : "" };
};

const waitingHeads = ["For", "From", "Subject", "Since", "Why", "Tries", "Message"];
const queue = (where) => list(waitingHeads, "Nothing waits.", waiting(where));

function user(name) {
  const at = `users/${path(name)}`;
  const documents = async (after) => {
    const page = await ask(`${at}/documents` + query({ limit: PAGE, after }));
    const rows = page.documents.map((one) => [link(one.document, { view: "document", path: one.document }), one.bytes, when(one.modified)]);
    return { rows, next: page.next };
  };
  return [
    element("h1", {}, name),
    section("Account", async () => {
      const shown = await ask(at);
      return facts([["Name", shown.displayName], ["Logs in as", shown.name], ["Address", shown.address],
        ["Aliases", shown.aliases.join(", ")], ["Roles", shown.roles.join(", ")], ["Since", when(shown.created)],
        ["Keeps messages", shown.keepSeconds && `${shown.keepSeconds} s`]]);
    }),
    section("Groups", async () => {
      const found = await ask(`${at}/groups`);
      const rows = found.groups.map((one) => [groupLink(one.uri), userLink(one.owner) || "global", one.through ?? ""]);
      const more = found.complete ? "" : element("p", { class: "failed" }, "There are more, that are not told.");
      return rows.length ? element("div", {}, table(["Group", "Owner", "Through"], rows), more)
        : element("p", { class: "soft" }, "In no group.");
    }),
    section("Documents", () => list(["Document", "Bytes", "Changed"], "There are none.", documents)),
    section("What waits", () => queue(`${at}/queue`)),
    section("Newest messages", () => fates(`${at}/messages`)),
  ];
}

// Elements of any namespace by their names; a value of them is text, whatever it looks like.
const children = (root, name) => [...root.getElementsByTagNameNS("*", name)];

function members(document) {
  const entries = children(document, "entry").map((entry) => {
    const uri = entry.getAttribute("uri") ?? "";
    return [userLink(uri), children(entry, "display-name")[0]?.textContent ?? ""];
  });
  const lists = children(document, "external").map((one) => [one.getAttribute("anchor") ?? "", "external list"]);
  return [...entries, ...lists];
}

function group(uri) {
  const source = text(`groups/${path(uri)}`);
  source.catch(() => {}); // each section says it
  const parsed = source.then(parse);
  parsed.catch(() => {});
  return [
    element("h1", {}, uri),
    section("Members", async () => {
      const rows = members(await parsed);
      return rows.length ? table(["Address", "Name"], rows) : element("p", { class: "soft" }, "There are none.");
    }),
    section("Messages to it", () => fates(`users/${path(uri)}/messages`)),
    section("Document", async () => element("pre", {}, await source)),
  ];
}

const showDocument = (name) => [
  element("h1", {}, name),
  section("Document", async () => element("pre", {}, await text(`documents/${path(name)}`))),
];

// By its Message-ID, else the newest of a user, as xdmctl trace looks for them.
const messages = (words) => [element("h1", {}, `Messages: ${words}`), section("What became of them", async () => {
  try {
    return await fates(`messages/${path(words)}`);
  } catch (error) {
    if (error.status !== 404) throw error;
    return fates(`users/${path(words)}/messages`);
  }
})];

const message = (id) => [element("h1", {}, `Message ${id}`), section("What became of it", () => fates(`messages/${path(id)}`))];

const allGroups = async (after) => {
  const page = await ask("groups" + query({ limit: PAGE, after }));
  return { rows: page.groups.map((one) => [groupLink(one.uri), userLink(one.owner) || "global", one.name]), next: page.next };
};

function queryForm(parameters) {
  const target = element("input", { type: "text", id: "target", class: "wide", spellcheck: "false", value: parameters.get("target") ?? PROFILES });
  const written = element("textarea", { id: "query", rows: "6", spellcheck: "false" });
  written.value = parameters.get("query")
    ?? `for $u in collection("${PROFILES}")/user-profiles/user-profile\nwhere exists($u/display-name)\nreturn <p>{$u/@uri}{$u/display-name}</p>`;
  const go = (event) => {
    event.preventDefault();
    location.hash = new URLSearchParams({ view: "query", target: target.value, query: written.value });
  };
  const shown = [element("h1", {}, "Query"), element("form", { onsubmit: go }, element("label", { for: "target" }, "Target"), target,
    element("label", { for: "query" }, "Query"), written, element("button", {}, "Ask"))];
  if (parameters.has("query")) {
    const body = { target: target.value, query: written.value, max: PAGE };
    shown.push(section("Found", () => list(["Element"], "Nothing was found.", async (after) => {
      const found = await post("search", { ...body, after });
      return { rows: found.results.map((one) => [element("pre", {}, one)]), next: found.next,
        note: `${found.documents} documents were read. ${readNote(found)}` };
    })));
  }
  return shown;
}

const views = {
  people: (parameters) => findPeople(parameters.get("words") ?? ""),
  groups: (parameters) => (parameters.get("words") ? findGroups(parameters.get("words")) : [element("h1", {}, "Groups"),
    section("All groups", () => list(["Address", "Owner", "Document"], "There are none.", allGroups))]),
  messages: (parameters) => messages((parameters.get("words") ?? "").trim()),
  accounts: () => [element("h1", {}, "Accounts"), section("All accounts", () => list(accountHeads, "There are none.", accounts()))],
  user: (parameters) => user(parameters.get("name") ?? ""),
  group: (parameters) => group(parameters.get("uri") ?? ""),
  document: (parameters) => showDocument(parameters.get("path") ?? ""),
  message: (parameters) => message(parameters.get("id") ?? ""),
  query: queryForm,
};

const start = () => [element("h1", {}, "What waits"), section("Messages for users who are away, or not to be reached", () => queue("queue"))];

function say(sentence, failed) {
  status.textContent = sentence;
  status.className = failed ? "failed" : "";
}

async function show() {
  const parameters = new URLSearchParams(location.hash.slice(1));
  const view = Object.hasOwn(views, parameters.get("view")) ? views[parameters.get("view")] : start;
  const parts = view(parameters);
  login.hidden = true;
  document.getElementById("forget").hidden = !token();
  main.replaceChildren(...parts);
  document.title = `${parts[0].textContent} - xdms`;
  say("Looking…");
  try {
    await Promise.all(parts.map((part) => part.done));
    if (main.contains(parts[0])) say("");
  } catch (error) {
    if (!main.contains(parts[0])) return; // another view has taken its place
    main.replaceChildren();
    say(error.message, true);
    if (!(error instanceof Refused)) throw error;
    login.hidden = false;
    document.getElementById("token").focus();
  }
}

document.getElementById("search").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const wanted = "#" + new URLSearchParams({ view: form.get("among"), words: form.get("words") });
  if (location.hash === wanted) show();
  else location.hash = wanted;
});
login.addEventListener("submit", (event) => {
  event.preventDefault();
  token(document.getElementById("token").value);
  document.getElementById("token").value = "";
  show();
});
document.getElementById("forget").addEventListener("click", () => {
  token(null);
  show();
});
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
window.addEventListener("hashchange", async () => {
  await show();
  window.scrollTo(0, 0);
  if (login.hidden) main.focus({ preventScroll: true }); // readers of screens begin with what is new
});
show();
