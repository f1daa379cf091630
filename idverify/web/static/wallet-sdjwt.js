// SD-JWT (RFC 9901), the holder's half: what a copy can show, and a presentation that shows the chosen claims alone.
// The issuer hides whole claims only, so the claim's name says which disclosure shows it.

import { decodeJson } from "./wallet-encoding.js";

function split(document) {
  const [issuerSigned, ...disclosures] = document.split("~").slice(0, -1);
  return { issuerSigned, disclosures };
}

export function read(document) {
  const { issuerSigned, disclosures } = split(document);
  const payload = decodeJson(issuerSigned.split(".")[1]);
  const shown = disclosures.map((disclosure) => decodeJson(disclosure).slice(-2));
  return { type: payload.vct, issuer: payload.iss, expires: payload.exp, claims: Object.fromEntries(shown) };
}

// Section 7.2: up to and with the last tilde, which is what a key binding covers.
export function select(document, names) {
  const { issuerSigned, disclosures } = split(document);
  const kept = disclosures.filter((disclosure) => names.includes(decodeJson(disclosure).at(-2)));
  return [issuerSigned, ...kept, ""].join("~");
}
