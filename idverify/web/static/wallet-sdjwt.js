// SD-JWT (RFC 9901), the holder's half: what a copy can show, and a presentation that shows the chosen claims alone.
// The holder chooses among whole claims. The issuer may have hidden parts of them too (section 4.2.6): whoever shows a
// claim shows all that is inside it.

import { decodeJson, digest } from "./wallet-encoding.js";

const SD = "_sd";
const ELEMENT = "...";

function split(document) {
  const [issuerSigned, ...disclosures] = document.split("~").slice(0, -1);
  return { issuerSigned, disclosures };
}

// Section 4.2.3: each disclosure by the digest under which what is above it names it.
async function byDigest(disclosures) {
  const entries = disclosures.map(async (encoded) => {
    const [name, value] = decodeJson(encoded).slice(-2);
    return [await digest(encoded), { encoded, name, value }];
  });
  return new Map(await Promise.all(entries));
}

// A value with everything that is hidden inside it put in its place, and the disclosures that it took.
function whole(value, known, taken) {
  const found = (hash) => {
    const inside = known.get(hash);
    taken.push(inside.encoded);
    return inside;
  };
  if (Array.isArray(value)) {
    return value
      .filter((item) => !(item?.[ELEMENT] && !known.has(item[ELEMENT]))) // a decoy
      .map((item) => whole(item?.[ELEMENT] ? found(item[ELEMENT]).value : item, known, taken));
  }
  if (value === null || typeof value !== "object") {
    return value;
  }
  const { [SD]: digests = [], ...shown } = value;
  const hidden = digests.filter((hash) => known.has(hash)).map(found);
  const members = [...Object.entries(shown), ...hidden.map(({ name, value: inner }) => [name, inner])];
  return Object.fromEntries(members.map(([name, inner]) => [name, whole(inner, known, taken)]));
}

// The claims that can be shown or kept back, each with the disclosures that show it.
async function claims(document) {
  const { issuerSigned, disclosures } = split(document);
  const payload = decodeJson(issuerSigned.split(".")[1]);
  const known = await byDigest(disclosures);
  const top = (payload[SD] ?? []).filter((hash) => known.has(hash)).map((hash) => known.get(hash));
  return top.map(({ encoded, name, value }) => {
    const taken = [encoded];
    return { name, value: whole(value, known, taken), taken };
  });
}

export function read(document) {
  const payload = decodeJson(split(document).issuerSigned.split(".")[1]);
  return { type: payload.vct, issuer: payload.iss, expires: payload.exp };
}

export async function shownClaims(document) {
  return Object.fromEntries((await claims(document)).map(({ name, value }) => [name, value]));
}

// Section 7.2: up to and with the last tilde, which is what a key binding covers.
export async function select(document, names) {
  const { issuerSigned, disclosures } = split(document);
  const chosen = (await claims(document)).filter(({ name }) => names.includes(name));
  const kept = new Set(chosen.flatMap(({ taken }) => taken));
  return [issuerSigned, ...disclosures.filter((encoded) => kept.has(encoded)), ""].join("~");
}
