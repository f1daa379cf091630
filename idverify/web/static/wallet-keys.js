// Holder keys: P-256, made here and never to leave; the browser signs with them and does not give them away.

import { base64url, bytes, digest, encodeJson } from "./wallet-encoding.js";

const P256 = { name: "ECDSA", namedCurve: "P-256" };
const ES256 = { name: "ECDSA", hash: "SHA-256" };

export function makeKey() {
  const extractable = false; // of the private half; the public one may always be read
  return crypto.subtle.generateKey(P256, extractable, ["sign"]);
}

// OpenID4VCI 1.0 appendix F.1: this wallet holds the key that the credential is to be bound to.
export async function keyProof(key, offer) {
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", key.publicKey);
  const header = { alg: "ES256", typ: "openid4vci-proof+jwt", jwk: { kty, crv, x, y } };
  return sign(key, header, { aud: offer.issuer, iat: now(), nonce: offer.nonce });
}

// RFC 9901 section 4.3: whoever holds the key presents exactly this, here and now.
// `presented` ends with its last tilde.
export async function keyBinding(key, presented, request) {
  const claims = { iat: now(), aud: request.audience, nonce: request.nonce, sd_hash: await digest(presented) };
  return sign(key, { alg: "ES256", typ: "kb+jwt" }, claims);
}

async function sign(key, header, claims) {
  const input = `${encodeJson(header)}.${encodeJson(claims)}`;
  const signature = await crypto.subtle.sign(ES256, key.privateKey, bytes(input)); // r || s, as RFC 7518 section 3.4
  return `${input}.${base64url(new Uint8Array(signature))}`;
}

function now() {
  return Math.floor(Date.now() / 1000);
}
