// What the wallet keeps in this browser (IndexedDB): one database per person, so that people who share a computer
// see their own. `copies` holds credentials with their keys, `attempts` what was sent but not answered yet.

const COPIES = "copies";
const ATTEMPTS = "attempts";
const BOTH = [COPIES, ATTEMPTS];

export async function openStore(holder) {
  const name = `idverify-wallet-${holder}`;
  const asked = indexedDB.open(name, 1);
  asked.onupgradeneeded = () => BOTH.forEach((store) => asked.result.createObjectStore(store, { keyPath: "id" }));
  return new Store(name, await answer(asked));
}

class Store {
  #name;
  #database;

  constructor(name, database) {
    this.#name = name;
    this.#database = database;
    // another tab that removes everything must not wait for this one
    database.onversionchange = () => database.close();
  }

  copies() {
    return this.#read(COPIES, (store) => store.getAll());
  }

  attempts() {
    return this.#read(ATTEMPTS, (store) => store.getAll());
  }

  attempt(id) {
    return this.#read(ATTEMPTS, (store) => store.get(id));
  }

  begin(attempt) {
    return this.#write((transaction) => transaction.objectStore(ATTEMPTS).add(attempt));
  }

  giveUp(attempt) {
    return this.#write((transaction) => transaction.objectStore(ATTEMPTS).delete(attempt.id));
  }

  complete(attempt, copy) {
    return this.#write((transaction) => {
      transaction.objectStore(COPIES).put(copy);
      transaction.objectStore(ATTEMPTS).delete(attempt.id);
    });
  }

  keep(copy) {
    return this.#write((transaction) => transaction.objectStore(COPIES).put(copy));
  }

  remove(copy) {
    return this.#write((transaction) => transaction.objectStore(COPIES).delete(copy.id));
  }

  removeEverything() {
    this.#database.close();
    return answer(indexedDB.deleteDatabase(this.#name));
  }

  #read(name, ask) {
    return answer(ask(this.#database.transaction(name).objectStore(name)));
  }

  #write(change) {
    const transaction = this.#database.transaction(BOTH, "readwrite", { durability: "strict" });
    change(transaction);
    return new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
    });
  }
}

function answer(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
