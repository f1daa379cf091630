// The demo wallet's page: what is held, answering a request, removing.

import { answer, copyFor, NotAnswered, readRequest } from "./wallet-answer.js";
import { collect, fetchReceipt, NotCollected } from "./wallet-collect.js";
import { read, shownClaims } from "./wallet-sdjwt.js";
import { openStore } from "./wallet-store.js";
import {
  byId,
  claimInWords,
  dateInWords,
  download,
  fromTemplate,
  holder,
  hush,
  inReadingOrder,
  needed,
  purposeInWords,
  say,
  typeInWords,
  valueInWords,
} from "./wallet-view.js";

const store = await openStore(holder).catch((failure) => {
  say("cannot-keep");
  throw failure;
});

// --- what is held ---

async function show() {
  const copies = await store.copies();
  byId("wallet-copies").replaceChildren(...copies.map(shownCopy));
  byId("wallet-empty").hidden = copies.length > 0;
}

function shownCopy(copy) {
  const { type, expires } = read(copy.credential);
  const { element, heading, collected, until, credential, receipt, remove } = fromTemplate("wallet-copy");
  heading.textContent = typeInWords(type);
  collected.textContent = dateInWords(copy.collected);
  until.textContent = dateInWords(expires * 1000);
  credential.addEventListener("click", () => download(`${copy.id}.sdjwt`, copy.credential));
  receipt.addEventListener("click", () => download(`${copy.id}.receipt.txt`, copy.receipt));
  if (copy.receipt === null) {
    receipt.remove(); // it is not there yet
  }
  remove.addEventListener("click", async () => {
    await store.remove(copy);
    await show();
    say("removed");
  });
  return element;
}

async function finishAttempts() {
  for (const attempt of await store.attempts()) {
    try {
      await collect(store, attempt.offer);
    } catch (failure) {
      tell(failure, NotCollected);
    }
  }
}

async function fetchReceipts() {
  const without = (await store.copies()).filter((copy) => copy.receipt === null && copy.token);
  await Promise.allSettled(without.map((copy) => fetchReceipt(store, copy))); // without a network, another time
}

// --- answering ---

async function ask(event) {
  event.preventDefault();
  hush();
  byId("wallet-choice").hidden = true;
  byId("wallet-answer").hidden = true;
  try {
    const request = readRequest(byId("wallet-request").value);
    await choose(request, copyFor(request, await store.copies()));
  } catch (failure) {
    tell(failure, NotAnswered);
  }
}

async function choose(request, copy) {
  const claims = await shownClaims(copy.credential);
  const ticked = needed(request.type, request.purpose);
  byId("wallet-audience").textContent = request.audience;
  byId("wallet-purpose").textContent = purposeInWords(request.purpose);
  byId("wallet-what-for").hidden = purposeInWords(request.purpose) === "";
  byId("wallet-claims").replaceChildren(...inReadingOrder(claims).map((claim) => shownClaim(claim, ticked)));
  byId("wallet-choice").hidden = false;
  byId("wallet-choice-heading").focus();
  byId("wallet-choice-form").onsubmit = async (event) => {
    event.preventDefault();
    const names = [...byId("wallet-claims").querySelectorAll(":checked")].map((box) => box.value);
    byId("wallet-answer-text").value = await answer(request, copy, names);
    byId("wallet-answer").hidden = false;
    byId("wallet-answer-heading").focus();
  };
}

function shownClaim([name, value], ticked) {
  const { element, box, label, hint, picture } = fromTemplate("wallet-claim");
  box.id = `claim-${name}`;
  box.value = name;
  box.checked = ticked.includes(name);
  label.htmlFor = box.id;
  label.textContent = claimInWords(name);
  hint.id = `${box.id}-value`;
  box.setAttribute("aria-describedby", hint.id);
  if (name === "picture" && value !== "") {
    picture.src = value;
    hint.replaceChildren(picture);
  } else {
    picture.remove();
    hint.textContent = valueInWords(name, value);
  }
  return element;
}

async function copyAnswer() {
  byId("wallet-answer-text").select();
  await navigator.clipboard.writeText(byId("wallet-answer-text").value);
  say("copied");
}

// --- the page ---

function tell(failure, expected) {
  if (!(failure instanceof expected)) {
    throw failure;
  }
  say(failure.reason);
}

async function removeEverything() {
  await store.removeEverything();
  byId("wallet").hidden = true;
  say("removed-everything");
}

byId("wallet-request-form").addEventListener("submit", ask);
byId("wallet-copy-answer").addEventListener("click", copyAnswer);
byId("wallet-download-answer").addEventListener("click", () => {
  download("presentation.json", byId("wallet-answer-text").value);
});
byId("wallet-remove-everything").addEventListener("click", removeEverything);
await finishAttempts();
await fetchReceipts();
await show();
byId("wallet").hidden = false;
