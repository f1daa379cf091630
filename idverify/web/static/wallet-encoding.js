// base64url without padding (RFC 4648 section 5), SHA-256, and JSON in base64url: what JOSE is written in.

const utf8 = new TextEncoder();

export function bytes(text) {
  return utf8.encode(text);
}

export function base64url(octets) {
  const binary = Array.from(octets, (octet) => String.fromCharCode(octet)).join("");
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

export function encodeJson(value) {
  return base64url(bytes(JSON.stringify(value)));
}

export function decodeJson(encoded) {
  const binary = atob(encoded.replaceAll("-", "+").replaceAll("_", "/"));
  const octets = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(octets));
}

// The digest of RFC 9901 section 4.2.3: over the ASCII bytes as they stand.
export async function digest(text) {
  return base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes(text))));
}
