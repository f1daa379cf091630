/*
 * The key ceremony: what the page may not do without JavaScript, and nothing else.
 *
 * #ceremony holds {"kind": "create" | "get", "public_key": ...} as JSON. When #ceremony-form is sent, the browser asks
 * the security key; its answer, or the name of the error, goes into the form, and the form goes to the server, which
 * says everything that there is to say.
 */
"use strict";

async function answerOf({ kind, public_key: options }) {
  if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON) {
    throw new DOMException("", "NotSupportedError");
  }
  const credential = kind === "create"
    ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })
    : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) });
  return JSON.stringify(credential.toJSON());
}

async function run(form, ceremony) {
  const { response, browser_error: browserError } = form.elements;
  const button = form.querySelector("button");
  const waiting = document.querySelector("#ceremony-waiting span");
  button.disabled = true;
  waiting.hidden = false;
  try {
    response.value = await answerOf(ceremony);
    browserError.value = "";
  } catch (error) {
    response.value = "";
    browserError.value = error instanceof DOMException ? error.name : "UnknownError";
  }
  form.submit();
}

const form = document.querySelector("#ceremony-form");
const ceremony = JSON.parse(document.querySelector("#ceremony").textContent);

form.addEventListener("submit", (event) => {
  event.preventDefault();
  run(form, ceremony);
});

// A page that the back button brings back shows a challenge that is used up
window.addEventListener("pageshow", (event) => {
  if (event.persisted) {
    window.location.reload();
  }
});
