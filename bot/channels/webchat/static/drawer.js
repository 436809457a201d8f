// Where unsent messages wait: IndexedDB (with the files), or localStorage (words only) where that is forbidden.

const NAME = `muster-outbox-${location.pathname}`;

function open() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore("messages", { keyPath: "event_id" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("blocked"));
  });
}

class Database {
  constructor(database) {
    this.database = database;
  }

  run(mode, work) {
    return new Promise((resolve, reject) => {
      const transaction = this.database.transaction("messages", mode, { durability: "strict" });
      const request = work(transaction.objectStore("messages"));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  }

  all() {
    return this.run("readonly", (messages) => messages.getAll());
  }

  put(message) {
    return this.run("readwrite", (messages) => messages.put(message));
  }

  remove(eventId) {
    return this.run("readwrite", (messages) => messages.delete(eventId));
  }
}

class Plain {
  constructor() {
    this.messages = new Map();
    try {
      for (const message of JSON.parse(localStorage.getItem(NAME) ?? "[]")) this.messages.set(message.event_id, message);
    } catch {
      // A damaged or forbidden store holds nothing we could send.
    }
  }

  save() {
    const kept = [...this.messages.values()].map((message) => ({ ...message, files: [] }));
    try {
      localStorage.setItem(NAME, JSON.stringify(kept.filter((message) => message.body.text || message.body.kind !== "text")));
    } catch {
      // Private browsing: the message lives as long as the page.
    }
  }

  async all() {
    return [...this.messages.values()];
  }

  async put(message) {
    this.messages.set(message.event_id, message);
    this.save();
  }

  async remove(eventId) {
    this.messages.delete(eventId);
    this.save();
  }
}

export async function openDrawer() {
  try {
    return new Database(await open());
  } catch {
    return new Plain();
  }
}
