// Collecting what an offer holds. The attempt is stored before it is sent and repeated word for word, so that
// a connection that breaks in between neither loses the credential nor makes a second one.

import { keyProof, makeKey } from "./wallet-keys.js";

// For these answers the offer is good for nothing more, whatever is tried (see the API's problem types).
const REFUSED_FOR_GOOD = [400, 404, 410, 422];
// Longer than any offer (services.offer); until then a conflict may mean that the same request is still worked on.
const OFFER_LASTS = 20 * 60 * 1000;

export class NotCollected extends Error {
  constructor(reason, options) {
    super(reason, options);
    this.reason = reason;
  }
}

export async function collect(store, offer) {
  if (offer.issuer !== location.origin) {
    throw new NotCollected("other-issuer");
  }
  const attempt = (await store.attempt(offer.code)) ?? (await begin(store, offer));
  const answer = await send(attempt);
  if (answer.ok) {
    const { handle, credential, receipt, receipt_token: token } = await answer.json();
    await store.complete(attempt, { id: handle, key: attempt.key, credential, receipt, token, collected: Date.now() });
    return;
  }
  if (REFUSED_FOR_GOOD.includes(answer.status) || Date.now() - attempt.begun > OFFER_LASTS) {
    await store.giveUp(attempt);
    throw new NotCollected("refused");
  }
  throw new NotCollected("try-again");
}

// A receipt comes with the ledger's next checkpoint, which may have been too late for the answer. It is asked for when
// the holder looks into the wallet, never when they show something: the issuer must not learn when that is.
export async function fetchReceipt(store, copy) {
  const answer = await fetch(`/api/v1/credentials/${copy.id}/receipt`, {
    credentials: "omit",
    headers: { Authorization: `Bearer ${copy.token}` },
  });
  if (answer.ok) {
    await store.keep({ ...copy, receipt: await answer.text() });
  }
}

async function begin(store, offer) {
  const key = await makeKey();
  const proof = await keyProof(key, offer);
  const attempt = { id: offer.code, offer, key, proof, repeat: crypto.randomUUID(), begun: Date.now() };
  await store.begin(attempt);
  return attempt;
}

async function send({ offer, proof, repeat }) {
  try {
    return await fetch("/api/v1/credentials", {
      method: "POST",
      credentials: "omit", // the offer's code is the right to collect; who is signed in here is nobody's business
      headers: { "Content-Type": "application/json", "Idempotency-Key": repeat, Prefer: "wait=4" },
      body: JSON.stringify({ code: offer.code, proof }),
    });
  } catch (failure) {
    throw new NotCollected("try-again", { cause: failure });
  }
}
