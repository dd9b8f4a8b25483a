"use strict";

const METHODS = ["get", "post", "put", "delete"];
let api;

/** An element with attributes and children; strings become text, never markup. */
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in node && typeof value !== "string") node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** A description: what stands between backticks is code, and a link when it is a page like this one. */
function prose(text) {
  return text ? text.split("`").map((part, at) => (at % 2 ? marked(part) : part)) : [];
}

function marked(text) {
  const code = el("code", {}, text);
  return /^\/[a-z]+\/docs$/.test(text) ? el("a", { href: text }, code) : code;
}

/** The one type that a request or an answer has, and what the document says of it. */
function bodyOf(described) {
  return described?.content ? Object.entries(described.content)[0] : undefined;
}

/** An example as it is sent: text as it stands, all else as JSON. */
function shownExample(example) {
  return typeof example === "string" ? example : JSON.stringify(example, null, 2);
}

function resolve(schema) {
  if (!schema || !schema.$ref) return schema || {};
  return schema.$ref.slice(2).split("/").reduce((at, key) => at[key], api);
}

function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.enum) return schema.enum.map((word) => JSON.stringify(word)).join(" | ");
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" | ");
  if (schema.type === "array") return `list of ${typeOf(schema.items || {})}`;
  return (schema.type || "any") + bounds(schema.minimum, schema.maximum);
}

/** A maximum like the last millisecond of the year 9999 is not worth telling. */
function bounds(minimum, maximum) {
  if (maximum !== undefined && maximum < 1e9) return ` ${minimum ?? ""}..${maximum}`;
  return minimum === undefined ? "" : ` ≥ ${minimum}`;
}

/** The fields of an object schema as rows, nested objects below their parent. */
function fieldRows(schema, prefix = "", depth = 0) {
  const rows = [];
  const object = resolve(schema);
  const required = new Set(object.required || []);
  for (const [name, field] of Object.entries(object.properties || {})) {
    const told = prose(field.description || resolve(field).description);
    rows.push(el("tr", {},
      el("td", {}, el("code", {}, prefix + name), required.has(name) ? "" : el("span", { class: "soft" }, " optional")),
      el("td", { colSpan: told.length ? 1 : 2 }, typeOf(field)),
      told.length ? el("td", { class: "soft" }, ...told) : null));
    if (depth < 2 && (field.$ref || field.items?.$ref)) {
      rows.push(...fieldRows(field.$ref ? field : field.items, `${prefix}${name}${field.$ref ? "." : "[]."}`, depth + 1));
    }
  }
  return rows;
}

function fieldTables(schema) {
  const variants = schema.anyOf && !schema.properties ? schema.anyOf : [schema.items ?? schema];
  return variants.flatMap((variant, at) => [
    at ? el("p", { class: "soft" }, "or") : null, el("table", { class: "fields" }, ...fieldRows(variant))]);
}

function curl(method, url, headers, body) {
  const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const parts = [`curl -X ${method.toUpperCase()} ${quote(location.origin + url)}`];
  for (const [name, value] of Object.entries(headers)) {
    parts.push(`-H ${quote(`${name}: ${name === "Authorization" ? "Bearer $DISPATCHER_TOKEN" : value}`)}`.replace(
      /'Authorization: Bearer \$DISPATCHER_TOKEN'/, '"Authorization: Bearer $DISPATCHER_TOKEN"'));
  }
  if (body !== undefined) parts.push(`-d ${quote(body)}`);
  return parts.join(" \\\n  ");
}

/** The form that sends an operation and shows what came back. */
function tryIt(path, method, operation) {
  const inputs = (operation.parameters || []).map((parameter) => {
    const placeholder = String(parameter.schema.default ?? (parameter.in === "path" ? "required" : ""));
    const input = el("input", { "aria-label": parameter.name, placeholder, spellcheck: false });
    return { parameter, input };
  });
  const [media, wanted] = bodyOf(operation.requestBody) ?? [];
  const example = wanted?.example;
  const text = JSON.stringify(example ?? {}, null, 2);
  const body = operation.requestBody
    ? el("textarea", { spellcheck: false, "aria-label": "Request body", rows: text.split("\n").length + 1 }, text) : null;
  const status = el("span", { class: "soft", role: "status" });
  const shown = el("pre", { class: "shown" });
  const command = el("pre", { class: "command" });
  const outcome = el("div", { hidden: true }, el("h3", {}, "As a command"), command, el("h3", {}, "Answer"), shown);
  const button = el("button", { type: "button" }, "Send");

  button.addEventListener("click", async () => {
    const headers = {};
    const query = new URLSearchParams();
    const empty = inputs.find(({ parameter, input }) => parameter.in === "path" && !input.value.trim());
    if (empty) {
      status.className = "failed";
      status.textContent = `${empty.parameter.name} is needed`;
      empty.input.focus();
      return;
    }
    let url = api.servers[0].url.replace(/\/$/, "") + path;
    for (const { parameter, input } of inputs) {
      const value = input.value.trim();
      if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(value));
      else if (value && parameter.in === "query") query.set(parameter.name, value);
      else if (value) headers[parameter.name] = value;
    }
    if ([...query].length) url += `?${query}`;
    const token = document.getElementById("token").value.trim();
    if (token && operation.security?.length) headers.Authorization = `Bearer ${token}`;
    if (body) headers["Content-Type"] = media;
    command.textContent = curl(method, url, headers, body?.value);
    button.disabled = true;
    status.className = "soft";
    status.textContent = "waiting ...";
    const started = performance.now();
    try {
      const answer = await fetch(url, { method: method.toUpperCase(), headers, body: body?.value });
      const text = await answer.text();
      status.textContent = `${answer.status} ${answer.statusText} in ${Math.round(performance.now() - started)} ms`
        + limitText(answer.headers);
      if (!answer.ok) status.className = "failed";
      shown.textContent = pretty(text);
    } catch (error) {
      status.className = "failed";
      status.textContent = "no answer";
      shown.textContent = String(error);
    }
    outcome.hidden = false;
    button.disabled = false;
  });

  const rows = inputs.map(({ parameter, input }) => el("tr", {},
    el("td", {}, el("code", {}, parameter.name), el("span", { class: "soft" }, ` ${parameter.in}`)),
    el("td", {}, input),
    el("td", { class: "soft" }, ...prose(parameter.description))));
  return el("div", {},
    rows.length ? el("h3", {}, "Parameters") : null, rows.length ? el("table", { class: "parameters" }, ...rows) : null,
    body ? el("h3", {}, "Request body") : null, body,
    el("div", { class: "row" }, button, status), outcome);
}

function limitText(headers) {
  const left = headers.get("X-RateLimit-Remaining");
  return left === null ? "" : `, ${left} of ${headers.get("X-RateLimit-Limit")} calls left this minute`;
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function answerView(status, content) {
  const fields = fieldTables(content.schema).filter((table) => table?.hasChildNodes());
  return [
    el("h3", {}, `Example of an answer (${status})`), el("pre", {}, shownExample(content.example)),
    ...(fields.length ? [el("h3", {}, "Fields of the answer"), ...fields] : [])];
}

function operationView(path, method, operation) {
  const success = Object.entries(operation.responses).find(([code]) => code < "4");  // 101 of a WebSocket, or 2xx
  const content = bodyOf(success[1])?.[1];
  const request = bodyOf(operation.requestBody)?.[1].schema;
  const errors = Object.entries(operation.responses).filter(([code]) => code >= "4");
  const view = el("details", { class: "operation", id: operation.operationId },
    el("summary", {}, el("span", { class: `method ${method}` }, method.toUpperCase()), el("span", { class: "path" }, path),
      el("span", { class: "summary" }, operation.summary)));
  // built when first opened, so that the page is there at once
  view.addEventListener("toggle", () => {
    if (!view.open || view.dataset.built) return;
    view.dataset.built = "yes";
    view.append(el("div", {},
      el("p", { class: "soft lines" }, ...prose(operation.description)),
      success[0] === "101" ? null : tryIt(path, method, operation),
      ...(request ? [el("h3", {}, "Fields of the request"), ...fieldTables(resolve(request))] : []),
      ...(content ? answerView(success[0], content) : [el("p", { class: "soft" }, `${success[0]}: ${success[1].description}`)]),
      el("h3", {}, "Errors"),
      el("table", { class: "errors" }, ...errors.map(([code, error]) => el("tr", {},
        el("td", {}, code), el("td", {}, ...prose(error.description)))))));
  });
  return view;
}

function render() {
  document.title = `${api.info.title} - API`;
  document.getElementById("title").textContent = api.info.title;
  document.getElementById("version").textContent = api.info.version;
  document.getElementById("about").append(...prose(api.info.description));
  const content = document.getElementById("content");
  const nav = document.getElementById("nav");
  for (const tag of api.tags) {
    content.append(el("h2", {}, tag.name), el("div", { class: "soft" }, ...prose(tag.description)));
    nav.append(el("strong", {}, tag.name));
    for (const [path, methods] of Object.entries(api.paths)) {
      for (const method of METHODS.filter((name) => methods[name]?.tags.includes(tag.name))) {
        content.append(operationView(path, method, methods[method]));
        nav.append(el("a", { href: `#${methods[method].operationId}` }, methods[method].summary));
      }
    }
  }
  openTarget();
}

function openTarget() {
  const target = document.getElementById(location.hash.slice(1));
  if (target instanceof HTMLDetailsElement) {
    target.open = true;
    target.scrollIntoView();
  }
}

document.getElementById("access").addEventListener("submit", (event) => event.preventDefault());
document.getElementById("show").addEventListener("change", (event) => {
  document.getElementById("token").type = event.target.checked ? "text" : "password";
});
window.addEventListener("hashchange", openTarget);
fetch("openapi.json")
  .then((answer) => answer.json())
  .then((found) => { api = found; render(); })
  .catch((error) => { document.getElementById("about").textContent = `openapi.json could not be read: ${error}`; });
