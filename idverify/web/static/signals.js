/*
 * What we know of keys and the browser may not (WebAuthn L3 section 5.1.10), so that it offers none that opens nothing.
 *
 * #signals holds {name of a function of PublicKeyCredential: its argument} as JSON. Browsers that lack one offer what
 * they offered before, and so do those that refuse it: there is nothing to tell anybody.
 */
"use strict";

for (const [name, argument] of Object.entries(JSON.parse(document.querySelector("#signals").textContent))) {
  window.PublicKeyCredential?.[name]?.(argument).catch(() => null);
}
