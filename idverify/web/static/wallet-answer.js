// Answering a verification request: read it, let the holder choose what to show, sign exactly that.

import { keyBinding } from "./wallet-keys.js";
import { read, select } from "./wallet-sdjwt.js";

const MEMBERS = ["verification_request", "type", "nonce", "audience"];

export class NotAnswered extends Error {
  constructor(reason, options) {
    super(reason, options);
    this.reason = reason;
  }
}

export function readRequest(text) {
  const request = parse(text);
  if (!MEMBERS.every((name) => typeof request?.[name] === "string")) {
    throw new NotAnswered("request-unreadable");
  }
  if (Date.parse(request.expires_at) < Date.now()) {
    throw new NotAnswered("request-expired");
  }
  return request;
}

// The newest copy of the type that was asked for, and what it can show.
export function copyFor(request, copies) {
  const fitting = copies.filter((copy) => read(copy.credential).type === request.type);
  if (fitting.length === 0) {
    throw new NotAnswered("no-such-copy");
  }
  return fitting.reduce((newest, copy) => (copy.collected > newest.collected ? copy : newest));
}

export async function answer(request, copy, names) {
  const shown = await select(copy.credential, names);
  const document = shown + (await keyBinding(copy.key, shown, request));
  const { receipt } = copy;
  return JSON.stringify({ document, receipt, verification_request: request.verification_request }, null, 2);
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch (failure) {
    throw new NotAnswered("request-unreadable", { cause: failure });
  }
}
