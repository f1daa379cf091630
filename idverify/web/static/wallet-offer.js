// The page of an offer: collect it into this browser.

import { collect, NotCollected } from "./wallet-collect.js";
import { openStore } from "./wallet-store.js";
import { byId, holder, hush, say } from "./wallet-view.js";

const offer = JSON.parse(byId("offer").textContent);
const button = byId("collect");

button.addEventListener("click", async () => {
  button.disabled = true;
  hush();
  try {
    await collect(await openStore(holder), offer);
    location.assign("/citizen/wallet");
  } catch (failure) {
    say(failure instanceof NotCollected ? failure.reason : "cannot-keep");
    button.disabled = false;
  }
});

byId("collect-here").hidden = false;
