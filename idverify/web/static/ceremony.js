/*
 * The key ceremony: what the page may not do without JavaScript, and nothing else.
 *
 * #ceremony holds {"kind": "create" | "get", "public_key": ...} as JSON. When #ceremony-form is sent, the browser asks
 * the security key; its answer, or the name of the error, goes into the form, and the form goes to the server, which
 * says everything that there is to say.
 */
"use strict";

const toBytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const known = (keys) => keys.map((key) => ({ ...key, id: toBytes(key.id) }));

// parseCreationOptionsFromJSON, parseRequestOptionsFromJSON and toJSON, which many browsers in use do not have
function optionsOf({ kind, public_key: options }) {
  const challenge = toBytes(options.challenge);
  return kind === "create"
    ? {
        ...options,
        challenge,
        user: { ...options.user, id: toBytes(options.user.id) },
        excludeCredentials: known(options.excludeCredentials),
      }
    : { ...options, challenge, allowCredentials: known(options.allowCredentials) };
}

function textOf({ type, id, rawId, response }) {
  const said = { clientDataJSON: toText(response.clientDataJSON) };
  if (response.attestationObject) {
    said.attestationObject = toText(response.attestationObject);
    said.transports = response.getTransports?.() ?? [];
  } else {
    said.authenticatorData = toText(response.authenticatorData);
    said.signature = toText(response.signature);
    said.userHandle = response.userHandle ? toText(response.userHandle) : undefined;
  }
  return JSON.stringify({ type, id, rawId: toText(rawId), response: said });
}

async function answerOf(ceremony, how) {
  if (!window.isSecureContext) {
    throw new DOMException("", "SecurityError");
  }
  if (!window.PublicKeyCredential) {
    throw new DOMException("", "NotSupportedError");
  }
  const asked = { publicKey: optionsOf(ceremony), ...how };
  return textOf(await (ceremony.kind === "create" ? navigator.credentials.create(asked) : navigator.credentials.get(asked)));
}

const form = document.querySelector("#ceremony-form");
const ceremony = JSON.parse(document.querySelector("#ceremony").textContent);
const offer = new AbortController();

function send(response, browserError) {
  form.elements.response.value = response;
  form.elements.browser_error.value = browserError;
  form.submit();
}

async function run() {
  offer.abort();
  form.querySelector("button").disabled = true;
  document.querySelector("#ceremony-waiting span").hidden = false;
  try {
    send(await answerOf(ceremony), "");
  } catch (error) {
    send("", error.name);
  }
}

// Browsers list the passkeys that they know below a field that is marked for it. Whoever does not choose one has lost
// nothing, so what goes wrong here is not told to anybody.
async function offerPasskeys() {
  if (await window.PublicKeyCredential?.isConditionalMediationAvailable?.()) {
    const answer = await answerOf(ceremony, { mediation: "conditional", signal: offer.signal }).catch(() => null);
    if (answer !== null) {
      send(answer, "");
    }
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  run();
});

if (document.querySelector("input[autocomplete~=webauthn]")) {
  offerPasskeys();
}

// A page that the back button brings back shows a challenge that is used up
window.addEventListener("pageshow", (event) => {
  if (event.persisted) {
    window.location.reload();
  }
});
