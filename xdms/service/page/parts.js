// What the views are made of: elements, tables, pages of a list, and questions to the admin API. Text becomes text: nothing
// here reads markup into the page, and the server's Content-Security-Policy (Trusted Types) would not let it. The one policy
// is for trees of XML that are read and never shown.

const TOKEN = "xdms-admin-token"; // of this tab, until it is closed

const trusted = globalThis.trustedTypes?.createPolicy("xml", { createHTML: (written) => written });

export class Refused extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes))
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

// To another view of this page. What a document says is a parameter, never a scheme.
export function link(text, parameters) {
  return element("a", { href: "#" + new URLSearchParams(parameters) }, text);
}

export const userLink = (address, text = address) => (address ? link(text || address, { view: "user", name: address }) : "");

export function table(heads, rows) {
  return element("table", {},
    element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
    element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, cell ?? ""))))));
}

export function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== undefined && value !== "" && value !== null);
  return element("dl", {}, ...shown.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

export const when = (time) => (time ? time.replace("T", " ").replace(/(\.\d+)?Z$/, " UTC") : "");

export function token(value) {
  if (value === null) sessionStorage.removeItem(TOKEN);
  else if (value !== undefined) sessionStorage.setItem(TOKEN, value);
  return sessionStorage.getItem(TOKEN);
}

export const parse = (xml) =>
  new DOMParser().parseFromString(trusted ? trusted.createHTML(xml) : xml, "application/xml");

async function answer(path, options = {}) {
  const headers = { ...options.headers };
  if (token()) headers.Authorization = `Bearer ${token()}`;
  const response = await fetch(`/api/v1/${path}`, { ...options, headers, cache: "no-store" });
  if (response.ok) return response;
  const said = await response.json().catch(() => ({}));
  throw new Refused(response.status, said.error ?? `The server answers ${response.status}.`);
}

export const ask = async (path) => (await answer(path)).json();
export const text = async (path) => (await answer(path)).text();
export const post = async (path, body) =>
  (await answer(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) })).json();

export const path = (...segments) => segments.map(encodeURIComponent).join("/");
export const query = (parameters) =>
  "?" + Object.entries(parameters).filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");

// A part of a view, filled when its answer comes; what one cannot tell does not spoil the others.
export function section(title, fill) {
  const body = element("div", {}, element("p", { class: "soft" }, "…"));
  const made = element("section", { "aria-label": title }, element("h2", {}, title), body);
  made.done = Promise.resolve().then(fill).then((shown) => body.replaceChildren(shown), (error) => {
    if (error.status === 401) throw error;
    body.replaceChildren(element("p", { class: error.status === 404 ? "soft" : "failed" }, error.message));
  });
  return made;
}

// Rows, and a button for the next page of them. `page(after)` gives {rows, next, note}.
export async function list(heads, none, page) {
  const first = await page(undefined);
  const made = element("div", {});
  const note = element("p", { class: "soft" });
  const shown = table(heads, []);
  const body = shown.querySelector("tbody");
  const more = element("button", { type: "button", hidden: "" }, "More");
  let next;
  function add(found) {
    const start = body.rows.length;
    body.append(...table(heads, found.rows).querySelector("tbody").rows);
    next = found.next;
    more.hidden = !next;
    note.textContent = found.note ?? "";
    return body.rows[start];
  }
  more.addEventListener("click", async () => {
    more.disabled = true;
    try {
      const row = add(await page(next));
      (row?.querySelector("a") ?? more).focus();
    } catch (error) {
      note.textContent = error.message;
    }
    more.disabled = false;
  });
  add(first);
  if (!first.rows.length && !first.next) return element("p", { class: "soft" }, none);
  made.append(shown, more, note);
  return made;
}
