// What the wallet shows. Every sentence comes from the page, in the reader's language; every value from a credential
// is put in as text, never as markup.

const page = JSON.parse(document.getElementById("wallet-words").textContent);
const said = document.getElementById("wallet-said");
const A_WHILE = 10_000;
const DATE = /^\d{4}-\d{2}-\d{2}$/;

export const holder = page.holder;

export function byId(id) {
  return document.getElementById(id);
}

export function say(message) {
  said.textContent = page.messages[message];
  said.hidden = false;
  said.focus();
}

// What was said last is no longer true once something new is tried.
export function hush() {
  said.hidden = true;
}

// Claims that a purpose needs (core.types): what may be ticked before the holder looked. Without a purpose nothing is.
export function needed(type, purpose) {
  return find(find(page.views, type, {}), purpose, []);
}

export function purposeInWords(purpose) {
  return find(page.purposes, purpose, "");
}

export function typeInWords(type) {
  return find(page.types, type, type);
}

export function claimInWords(name) {
  return find(page.titles, name, name);
}

export function inReadingOrder(claims) {
  return Object.entries(claims).sort(([one], [other]) => page.order.indexOf(one) - page.order.indexOf(other));
}

export function dateInWords(milliseconds) {
  const [year, month, day] = new Date(milliseconds).toISOString().slice(0, 10).split("-").map(Number);
  return `${day} ${page.months[month - 1]} ${year}`;
}

// `path` names the claim, and inside an object the member: "work.allowed".
export function valueInWords(path, value) {
  if (value === null) {
    return find(page.without, path, page.values.null);
  }
  if (Array.isArray(value)) {
    return value.join(", ") || page.values[""];
  }
  if (typeof value === "object") {
    return membersInWords(Object.entries(value).map(([name, inner]) => [`${path}.${name}`, inner]));
  }
  return DATE.test(value) ? dateInWords(Date.parse(value)) : find(page.values, String(value), String(value));
}

function membersInWords(members) {
  const named = members.length > 1; // a single member, such as "allowed", says what the whole claim says
  const label = (path) => (named ? `${find(page.lines, path, path)}: ` : "");
  return members.map(([path, value]) => label(path) + valueInWords(path, value)).join("; ");
}

// A copy of a <template>, with the elements that have a data-part by that name.
export function fromTemplate(id) {
  const element = byId(id).content.firstElementChild.cloneNode(true);
  const parts = [...element.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]);
  return { element, ...Object.fromEntries(parts) };
}

export function download(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), A_WHILE); // some browsers read the file after the click is over
}

// What others named is looked up among our own entries only, not among what every object inherits.
function find(table, name, otherwise) {
  return Object.hasOwn(table, name) ? table[name] : otherwise;
}
